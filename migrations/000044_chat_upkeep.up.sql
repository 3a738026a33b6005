-- Chat: what goes by itself, and what goes with a person.
set local role akashi_owner;

insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('chat-purge', '10 4 * * *', 'chat.purge', '2 hours',
   'remove messages deleted a year ago, old notifications and events of rooms, and the bytes of deleted files');

-- A message stays in its place without its words, so none of the generic ways fits it.
alter table keys.personal_columns
  drop constraint personal_columns_at_erasure_check,
  add constraint personal_columns_at_erasure_check check (at_erasure in ('shredded', 'cleared', 'deleted', 'replaced', 'kept'));
comment on column keys.personal_columns.at_erasure is
  'shredded: stays as bytes that nobody can open; cleared: set to null; deleted: the row goes; replaced: emptied by a function of its schema; kept: stays plain.';

insert into keys.personal_columns (schema_name, table_name, column_name, person_column, form, at_erasure, until) values
  ('chat', 'messages',          'content',          'user_id',   'plain', 'replaced', null),
  ('chat', 'message_edits',     'previous_content', 'edited_by', 'plain', 'replaced', null),
  ('chat', 'message_reactions', 'emoji',            'user_id',   'plain', 'replaced', null),
  ('chat', 'file_uploads',      'original_name',    'user_id',   'plain', 'replaced', null);

create function chat.erase_with_person() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  while chat.erase_person(new.user_id, 5000) = 5000 loop
    null;
  end loop;
  return null;
end
$$;
create trigger erase_chat after insert on keys.erasures for each row execute function chat.erase_with_person();
