-- Presence is spread in rounds: what changed for many people is asked once.
set local role akashi_owner;

create function chat.presence_to_spread(people uuid[]) returns table (user_id uuid, status text, room_ids uuid[])
  language sql stable security definer set search_path = '' as $$
  select p.person, chat.status_of(p.person), array(
    select m.room_id from chat.room_members m where m.user_id = p.person and m.is_active)
  from unnest(people) as p (person)
$$;
comment on function chat.presence_to_spread(uuid[]) is 'For a node that spreads changes: the statuses, and the rooms whose members may know them.';
grant execute on function chat.presence_to_spread(uuid[]) to akashi_worker;
