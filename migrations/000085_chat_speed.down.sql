set local role akashi_owner;

create or replace function chat.notify_members(message chat.messages, replied_to uuid) returns void
  language sql set search_path = '' as $$
  select chat.notify_person(m.user_id, case when m.user_id = replied_to then 'reply'
    when m.user_id = any (message.mentioned_user_ids) then 'mention' else 'message' end, message.room_id, message.id, message.user_id)
  from chat.room_members m
  where m.room_id = message.room_id and m.is_active and m.notification_level <> 'none'
    and (m.user_id = replied_to or m.user_id = any (message.mentioned_user_ids) or m.notification_level = 'all')
$$;

create or replace function chat.take_turn(room uuid, at timestamptz) returns bigint
  language sql set search_path = '' as $$
  update chat.room_sequences s set last_sequence = s.last_sequence + 1, last_message_at = at where s.room_id = room returning s.last_sequence
$$;

create or replace function chat.message_time(id uuid) returns timestamptz
  language sql immutable strict parallel safe set search_path = '' as $$
  select to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0::double precision)
$$;
