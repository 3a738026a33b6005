-- Sending a message, faster: what runs for every message is written in plpgsql, whose plans are kept.
set local role akashi_owner;

create or replace function chat.notify_members(message chat.messages, replied_to uuid) returns void
  language plpgsql set search_path = '' as $$
begin
  insert into chat.notifications (user_id, notification_type, room_id, message_id, actor_id)
  select told.user_id, told.kind, message.room_id, message.id, message.user_id
  from (
    select m.user_id, case when m.user_id = replied_to then 'reply'
      when m.user_id = any (message.mentioned_user_ids) then 'mention' else 'message' end as kind
    from chat.room_members m
    where m.room_id = message.room_id and m.is_active and m.notification_level <> 'none'
      and (m.user_id = replied_to or m.user_id = any (message.mentioned_user_ids) or m.notification_level = 'all')) told
  left join chat.user_preferences p on p.user_id = told.user_id
  where told.user_id is distinct from message.user_id
    and coalesce(case told.kind when 'mention' then p.notify_mentions when 'reply' then p.notify_replies end, true);
end
$$;

create or replace function chat.take_turn(room uuid, at timestamptz) returns bigint
  language plpgsql set search_path = '' as $$
declare
  turn bigint;
begin
  update chat.room_sequences s set last_sequence = s.last_sequence + 1, last_message_at = at
  where s.room_id = room returning s.last_sequence into turn;
  return turn;
end
$$;

-- The time inside a UUID version 7. Plain SQL that the planner writes into the statement that calls it, which
-- it does only for a function without settings of its own.
create or replace function chat.message_time(id uuid) returns timestamptz
  language sql immutable strict parallel safe
  return pg_catalog.to_timestamp(
    ('x' || pg_catalog.lpad(pg_catalog."left"(pg_catalog.replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0::double precision);
