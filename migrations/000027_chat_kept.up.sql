-- Chat: pinned messages of a room, saved messages and favourite rooms of a person, and the messages of a conversation.
set local role akashi_owner;

create table akashi_chat.pinned_messages (
  room_id    uuid not null references akashi_chat.rooms (id) on delete cascade,
  message_id uuid not null,
  pinned_by  uuid references akashi_auth.users (id) on delete set null,
  created_at timestamptz not null default now(),
  primary key (room_id, message_id)
);
comment on table akashi_chat.pinned_messages is 'Messages pinned to a room by its members.';
alter table akashi_chat.pinned_messages enable row level security, force row level security;
create policy pinned_messages_owner on akashi_chat.pinned_messages to akashi_owner using (true) with check (true);
create policy pinned_messages_of_my_rooms on akashi_chat.pinned_messages for select to akashi_app
  using (room_id = any ((select akashi_chat.my_rooms())::uuid[]));
grant select on akashi_chat.pinned_messages to akashi_app;
select akashi_audit.protect('akashi_chat.pinned_messages', subject => 'pinned_by');

create table akashi_chat.saved_messages (
  user_id    uuid not null references akashi_auth.users (id) on delete cascade,
  message_id uuid not null,
  room_id    uuid not null references akashi_chat.rooms (id) on delete cascade,
  created_at timestamptz not null default clock_timestamp(),
  primary key (user_id, message_id)
);
comment on table akashi_chat.saved_messages is
  'Messages that a person saved for later. Shown only while the person is a member of the room.';
create index saved_messages_newest_idx on akashi_chat.saved_messages (user_id, created_at desc, message_id);
alter table akashi_chat.saved_messages enable row level security, force row level security;
create policy saved_messages_owner on akashi_chat.saved_messages to akashi_owner using (true) with check (true);
create policy saved_messages_mine on akashi_chat.saved_messages for select to akashi_app
  using (user_id = (select akashi_auth.current_user_id()) and room_id = any ((select akashi_chat.my_rooms())::uuid[]));
grant select on akashi_chat.saved_messages to akashi_app;
select akashi_audit.protect('akashi_chat.saved_messages', subject => 'user_id');

create table akashi_chat.favourite_rooms (
  user_id    uuid not null references akashi_auth.users (id) on delete cascade,
  room_id    uuid not null references akashi_chat.rooms (id) on delete cascade,
  created_at timestamptz not null default now(),
  primary key (user_id, room_id)
);
comment on table akashi_chat.favourite_rooms is 'Rooms at the top of a person''s list.';
alter table akashi_chat.favourite_rooms enable row level security, force row level security;
create policy favourite_rooms_owner on akashi_chat.favourite_rooms to akashi_owner using (true) with check (true);
create policy favourite_rooms_mine on akashi_chat.favourite_rooms for select to akashi_app
  using (user_id = (select akashi_auth.current_user_id()));
grant select on akashi_chat.favourite_rooms to akashi_app;
select akashi_audit.exempt('akashi_chat.favourite_rooms', 'the order of a list; says nothing that is not in akashi_chat.room_members');

create function akashi_chat.pin_message(message uuid, wanted boolean) returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  most constant integer := 100;
  held record;
  room uuid;
  changed boolean;
begin
  select * into held from akashi_chat.lock_message(message);
  room := (held.target).room_id;
  if wanted then
    insert into akashi_chat.pinned_messages (room_id, message_id, pinned_by) values (room, message, (held.mine).user_id)
    on conflict do nothing;
    changed := found;
    if (select count(*) from akashi_chat.pinned_messages p where p.room_id = room) > most then
      raise exception 'a room has at most % pinned messages', most using errcode = 'AK004', hint = 'unpin one first';
    end if;
  else
    delete from akashi_chat.pinned_messages p where p.room_id = room and p.message_id = message;
    changed := found;
  end if;
  if changed then
    perform akashi_chat.append_event(room, 'room_changed', null, (held.mine).user_id, pg_catalog.jsonb_build_object('pins', true));
  end if;
  return room;
end
$$;
comment on function akashi_chat.pin_message(uuid, boolean) is
  'Pins a message to its room, or unpins it; any member may. Returns the room. Does nothing if it is already so.';

create function akashi_chat.save_message(message uuid, wanted boolean) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  most constant integer := 10000;
  me uuid := akashi_chat.require_user('rooms:read');
  room uuid;
begin
  if not wanted then
    delete from akashi_chat.saved_messages s where s.user_id = me and s.message_id = message;
    return;
  end if;
  select m.room_id into room from akashi_chat.messages m
  where m.id = message and m.created_at = akashi_chat.message_time(message) and not m.is_deleted;
  if room is null or not room = any (akashi_chat.my_rooms()) then
    raise exception 'message not found' using errcode = 'no_data_found';
  end if;
  insert into akashi_chat.saved_messages (user_id, message_id, room_id) values (me, message, room) on conflict do nothing;
  if (select count(*) from akashi_chat.saved_messages s where s.user_id = me) > most then
    raise exception 'at most % messages can be saved', most using errcode = 'AK004', hint = 'remove some first';
  end if;
end
$$;

create function akashi_chat.set_favourite(room uuid, wanted boolean) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  me uuid := akashi_chat.require_user('rooms:read');
begin
  if not wanted then
    delete from akashi_chat.favourite_rooms f where f.user_id = me and f.room_id = room;
    return;
  end if;
  if not room = any (akashi_chat.my_rooms()) then
    raise exception 'room not found' using errcode = 'no_data_found';
  end if;
  insert into akashi_chat.favourite_rooms (user_id, room_id) values (me, room) on conflict do nothing;
end
$$;

create function akashi_chat.mark_unread(message uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  me uuid := akashi_chat.require_user('rooms:read');
  room uuid;
  at timestamptz := akashi_chat.message_time(message);
begin
  select m.room_id into room from akashi_chat.messages m where m.id = message and m.created_at = at;
  if room is null or not room = any (akashi_chat.my_rooms()) then
    raise exception 'message not found' using errcode = 'no_data_found';
  end if;
  insert into akashi_chat.read_positions as p (room_id, user_id, message_id, read_to)
  values (room, me, message, at - interval '1 millisecond')
  on conflict (user_id, room_id) do update set message_id = excluded.message_id, read_to = excluded.read_to;
end
$$;
comment on function akashi_chat.mark_unread(uuid) is
  'Moves the caller''s read position back to just before the message. Notifications that were read stay read.';

-- Replies form a tree below the first message. The search up and down the tree is limited, so that a chain of thousands
-- of replies costs no more than a page.
create function akashi_chat.conversation(message uuid, most integer) returns setof akashi_chat.messages
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  root uuid := message;
  above uuid;
begin
  for step in 1..most loop
    select m.reply_to_id into above from akashi_chat.messages m
    where m.id = root and m.created_at = akashi_chat.message_time(root);
    exit when above is null or not exists (
      select from akashi_chat.messages m where m.id = above and m.created_at = akashi_chat.message_time(above));
    root := above;
  end loop;
  return query
    with recursive thread as (
      select m.* from akashi_chat.messages m where m.id = root and m.created_at = akashi_chat.message_time(root)
      union all
      select m.* from thread t join akashi_chat.messages m
        on m.reply_to_id = t.id and m.created_at > t.created_at and m.room_id = t.room_id)
    select * from (select * from thread limit most) found order by found.created_at;
end
$$;
comment on function akashi_chat.conversation(uuid, integer) is
  'The message at the beginning of a conversation and the replies to it, to those and so on, oldest first. The caller''s own policies apply.';

grant execute on function akashi_chat.pin_message(uuid, boolean), akashi_chat.save_message(uuid, boolean),
  akashi_chat.set_favourite(uuid, boolean), akashi_chat.mark_unread(uuid), akashi_chat.conversation(uuid, integer) to akashi_app;
