set local role akashi_owner;

create or replace function chat.erase_person(person uuid, batch integer default 1000) returns bigint
  language plpgsql security definer set search_path = '' as $$
declare
  erased bigint;
begin
  with theirs as (
    select m.id, m.created_at from chat.messages m where m.user_id = person limit batch),
  blanked as (
    update chat.messages m set content = '', is_deleted = true, user_id = null, mentioned_user_ids = '{}'
    from theirs where m.id = theirs.id and m.created_at = theirs.created_at returning m.id),
  edits as (delete from chat.message_edits e using blanked where e.message_id = blanked.id)
  select count(*) into erased from blanked;
  if erased < batch then
    update chat.file_uploads f set is_deleted = true, original_name = 'erased' where f.user_id = person and not f.is_deleted;
    delete from chat.message_reactions r where r.user_id = person;
    delete from chat.notifications n where n.user_id = person or n.actor_id = person;
    delete from chat.read_positions p where p.user_id = person;
    delete from chat.user_preferences p where p.user_id = person;
    update chat.room_members m set is_active = false, left_at = now() where m.user_id = person and m.is_active;
  end if;
  return erased;
end
$$;

drop function chat.hand_over(chat.room_members);
