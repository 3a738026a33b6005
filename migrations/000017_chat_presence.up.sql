-- Presence is derived from sessions (akashi_auth.presence). These functions decide who may see it.
set local role akashi_owner;

create function akashi_chat.status_of(person uuid) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select case
    when not coalesce((select p.show_presence from akashi_chat.user_preferences p where p.user_id = person), true) then 'offline'
    else coalesce((select s.status from akashi_auth.presence s where s.user_id = person), 'offline') end
$$;

-- Presence of people who share a room with the caller. Those who hide it are offline to everyone.
create function akashi_chat.presence(people uuid[]) returns table (user_id uuid, status text)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select m.user_id, akashi_chat.status_of(m.user_id)
  from (select distinct x.user_id from akashi_chat.room_members x
        where x.room_id = any ((select akashi_chat.my_rooms())::uuid[]) and x.is_active and x.user_id = any (people)) m
$$;

-- For publishing a change: the status, and the rooms whose members may see it.
create function akashi_chat.presence_to_spread(person uuid) returns table (status text, room_ids uuid[])
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select akashi_chat.status_of(person), coalesce(array_agg(m.room_id), '{}')
  from akashi_chat.room_members m where m.user_id = person and m.is_active
$$;

-- The same for many people, because presence is published in rounds.
create function akashi_chat.presence_to_spread(people uuid[]) returns table (user_id uuid, status text, room_ids uuid[])
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select p.person, akashi_chat.status_of(p.person), array(
    select m.room_id from akashi_chat.room_members m where m.user_id = p.person and m.is_active)
  from unnest(people) as p (person)
$$;
comment on function akashi_chat.presence_to_spread(uuid[]) is 'For a node that publishes changes: the statuses, and the rooms whose members may see them.';

grant execute on function akashi_chat.presence(uuid[]) to akashi_app;
grant execute on function akashi_chat.presence_to_spread(uuid), akashi_chat.presence_to_spread(uuid[]) to akashi_worker;
