-- Erasing a person is seen where they talked: their messages leave the pages of those who look at them, and no
-- room is left without an owner.
set local role akashi_owner;

create or replace function chat.erase_person(person uuid, batch integer default 1000) returns bigint
  language plpgsql security definer set search_path = '' as $$
declare
  erased bigint;
  member chat.room_members;
begin
  -- Every room that this changes, in one order, before any row of it.
  perform from chat.room_sequences s where s.room_id in (
    select m.room_id from chat.messages m where m.user_id = person
    union select r.room_id from chat.message_reactions r where r.user_id = person
    union select p.room_id from chat.room_members p where p.user_id = person)
  order by s.room_id for update;
  with theirs as (
    select m.id, m.created_at from chat.messages m where m.user_id = person limit batch),
  blanked as (
    update chat.messages m set content = '', is_deleted = true, user_id = null, mentioned_user_ids = '{}'
    from theirs where m.id = theirs.id and m.created_at = theirs.created_at returning m.id, m.room_id, m.created_at),
  edits as (delete from chat.message_edits e using blanked where e.message_id = blanked.id),
  reactions as (delete from chat.message_reactions r using blanked where r.message_id = blanked.id),
  turns as (
    update chat.room_sequences s set last_sequence = s.last_sequence + c.events
    from (select b.room_id, count(*) as events from blanked b group by b.room_id) c
    where s.room_id = c.room_id returning s.room_id, s.last_sequence - c.events as before),
  told as (
    insert into chat.room_events (room_id, sequence, event_type, message_id)
    select b.room_id, t.before + row_number() over (partition by b.room_id order by b.created_at), 'message_deleted', b.id
    from blanked b join turns t on t.room_id = b.room_id)
  select count(*) into erased from blanked;
  if erased < batch then
    update chat.file_uploads f set is_deleted = true, original_name = 'erased' where f.user_id = person and not f.is_deleted;
    delete from chat.message_edits e where e.edited_by = person;
    with theirs as (
      delete from chat.message_reactions r where r.user_id = person returning r.id, r.room_id, r.message_id, r.emoji),
    turns as (
      update chat.room_sequences s set last_sequence = s.last_sequence + c.events
      from (select r.room_id, count(*) as events from theirs r group by r.room_id) c
      where s.room_id = c.room_id returning s.room_id, s.last_sequence - c.events as before)
    insert into chat.room_events (room_id, sequence, event_type, message_id, user_id, detail)
    select r.room_id, t.before + row_number() over (partition by r.room_id order by r.id), 'reaction_removed', r.message_id, person,
      jsonb_build_object('emoji', r.emoji)
    from theirs r join turns t on t.room_id = r.room_id;
    delete from chat.notifications n where n.user_id = person or n.actor_id = person;
    delete from chat.read_positions p where p.user_id = person;
    delete from chat.user_preferences p where p.user_id = person;
    update chat.room_invitations i set status = 'revoked', responded_at = now() where i.invited_user_id = person and i.status = 'pending';
    for member in select * from chat.room_members m where m.user_id = person and m.is_active order by m.room_id loop
      if member.role = 'owner' then
        perform chat.hand_over(member);
      end if;
      perform chat.end_membership(member);
    end loop;
  end if;
  return erased;
end
$$;

-- The room of an owner who is no more goes to an admin, or to whoever has been in it longest.
create function chat.hand_over(owner chat.room_members) returns void
  language plpgsql set search_path = '' as $$
declare
  heir chat.room_members;
begin
  if exists (select from chat.room_members m
             where m.room_id = owner.room_id and m.is_active and m.role = 'owner' and m.id <> owner.id) then
    return;
  end if;
  select * into heir from chat.room_members m
  where m.room_id = owner.room_id and m.is_active and m.id <> owner.id
  order by m.role <> 'admin', m.joined_at, m.id limit 1;
  if found then
    update chat.room_members m set role = 'owner' where m.id = heir.id;
    perform chat.append_event(owner.room_id, 'member_changed', null, heir.user_id, jsonb_build_object('role', 'owner'));
  end if;
end
$$;
