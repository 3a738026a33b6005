-- Sockets that came and went in a round are one statement: a node to which thousands come back at once would
-- otherwise write a transaction for each, before any of them hears a message.
set local role akashi_owner;

create function chat.sockets_changed(opened uuid[], closed uuid[], closed_for_ms integer[]) returns setof uuid
  language plpgsql security definer set search_path = '' as $$
begin
  -- One order for all nodes, so that none waits for another in a circle.
  perform from auth.user_sessions s where s.id = any (opened || closed) order by s.id for no key update;
  return query update auth.user_sessions s set status = 'online', last_activity = now()
    where s.id = any (opened) and s.revoked_at is null and s.expires_at > now() returning s.user_id;
  return query update auth.user_sessions s set status = 'offline'
    from unnest(closed, closed_for_ms) as c (id, ms)
    where s.id = c.id and s.revoked_at is null and s.expires_at > now() and s.status <> 'offline'
      and s.last_activity <= now() - c.ms * interval '1 ms' returning s.user_id;
end
$$;
comment on function chat.sockets_changed(uuid[], uuid[], integer[]) is
  'Answers whose sessions were written. Of those closed, one that was active since has come back, maybe at another node.';
grant execute on function chat.sockets_changed(uuid[], uuid[], integer[]) to akashi_worker;
