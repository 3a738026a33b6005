drop trigger erase_chat on keys.erasures;
drop function chat.erase_with_person();
delete from keys.personal_columns where schema_name = 'chat';
alter table keys.personal_columns
  drop constraint personal_columns_at_erasure_check,
  add constraint personal_columns_at_erasure_check check (at_erasure in ('shredded', 'cleared', 'deleted', 'kept'));
comment on column keys.personal_columns.at_erasure is
  'shredded: stays as bytes that nobody can open; cleared: set to null; deleted: the row goes; kept: stays plain.';
delete from lifecycle.jobs where name = 'chat-purge';
