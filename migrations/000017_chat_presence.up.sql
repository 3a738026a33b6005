-- Presence comes from sessions: a person is as present as their most present session.
set local role akashi_owner;

-- Tells what the person behind the session does. Written only when something changes or a minute has
-- passed, so that a busy client costs one write a minute.
create function akashi_chat.set_presence(new_status text, room uuid default null) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new_status not in ('online', 'away', 'offline') then
    raise exception 'presence is online, away or offline' using errcode = 'invalid_parameter_value';
  end if;
  update akashi_auth.user_sessions s set status = new_status, room_id = coalesce(room, s.room_id),
    last_activity = case when new_status = 'online' then now() else s.last_activity end
  where s.id = akashi_auth.current_session_id() and s.user_id = akashi_auth.current_user_id() and s.revoked_at is null and s.expires_at > now()
    and (s.status <> new_status or (room is not null and s.room_id is distinct from room)
      or (new_status = 'online' and s.last_activity < now() - interval '1 minute'));
  return found;
end
$$;
comment on function akashi_chat.set_presence(text, uuid) is 'Answers whether anything was written.';

create function akashi_chat.status_of(person uuid) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select case
    when not coalesce((select p.show_presence from akashi_chat.user_preferences p where p.user_id = person), true) then 'offline'
    when bool_or(s.status = 'online') then 'online'
    when bool_or(s.status = 'away') then 'away'
    else 'offline' end
  from akashi_auth.user_sessions s
  where s.user_id = person and s.revoked_at is null and s.expires_at > now() and s.last_activity > now() - interval '30 minutes'
$$;

-- Of those that share a room with the caller; whoever hides theirs is offline to everybody.
create function akashi_chat.presence(people uuid[]) returns table (user_id uuid, status text)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select m.user_id, akashi_chat.status_of(m.user_id)
  from (select distinct x.user_id from akashi_chat.room_members x
        where x.room_id = any ((select akashi_chat.my_rooms())::uuid[]) and x.is_active and x.user_id = any (people)) m
$$;

-- For a node that spreads a change: the status, and the rooms whose members may know it.
create function akashi_chat.presence_to_spread(person uuid) returns table (status text, room_ids uuid[])
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select akashi_chat.status_of(person), coalesce(array_agg(m.room_id), '{}')
  from akashi_chat.room_members m where m.user_id = person and m.is_active
$$;

-- The same for many people at once: presence is spread in rounds.
create function akashi_chat.presence_to_spread(people uuid[]) returns table (user_id uuid, status text, room_ids uuid[])
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select p.person, akashi_chat.status_of(p.person), array(
    select m.room_id from akashi_chat.room_members m where m.user_id = p.person and m.is_active)
  from unnest(people) as p (person)
$$;
comment on function akashi_chat.presence_to_spread(uuid[]) is 'For a node that spreads changes: the statuses, and the rooms whose members may know them.';

-- The number of people active in the last half hour.
create function akashi_chat.active_user_count() returns bigint
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select count(distinct s.user_id) from akashi_auth.user_sessions s
  where s.status in ('online', 'away') and s.revoked_at is null and s.last_activity > now() - interval '30 minutes'
$$;

-- Which of these sessions still hold: sockets outlive the request that opened them.
create function akashi_chat.sessions_that_hold(sessions uuid[]) returns uuid[]
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg(s.id), '{}') from akashi_auth.user_sessions s join akashi_auth.users u on u.id = s.user_id
  where s.id = any (sessions) and s.revoked_at is null and s.expires_at > now() and u.is_active
    and s.last_activity > now() - akashi_auth.policy_minutes('session.idle_minutes')
$$;

-- Sockets that came and went in a round are one statement: a node to which thousands come back at once would
-- otherwise write a transaction for each, before any of them hears a message.
create function akashi_chat.sockets_changed(opened uuid[], closed uuid[], closed_for_ms integer[]) returns setof uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- One order for all nodes, so that none waits for another in a circle.
  perform from akashi_auth.user_sessions s where s.id = any (opened || closed) order by s.id for no key update;
  return query update akashi_auth.user_sessions s set status = 'online', last_activity = now()
    where s.id = any (opened) and s.revoked_at is null and s.expires_at > now() returning s.user_id;
  return query update akashi_auth.user_sessions s set status = 'offline'
    from unnest(closed, closed_for_ms) as c (id, ms)
    where s.id = c.id and s.revoked_at is null and s.expires_at > now() and s.status <> 'offline'
      and s.last_activity <= now() - c.ms * interval '1 ms' returning s.user_id;
end
$$;
comment on function akashi_chat.sockets_changed(uuid[], uuid[], integer[]) is
  'Answers whose sessions were written. Of those closed, one that was active since has come back, maybe at another node.';

grant execute on function akashi_chat.set_presence(text, uuid), akashi_chat.presence(uuid[]), akashi_chat.active_user_count() to akashi_app;
grant execute on function akashi_chat.presence_to_spread(uuid), akashi_chat.presence_to_spread(uuid[]), akashi_chat.sessions_that_hold(uuid[]),
  akashi_chat.active_user_count(), akashi_chat.sockets_changed(uuid[], uuid[], integer[]) to akashi_worker;
