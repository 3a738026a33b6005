-- Chat: rooms and their members. Row policies decide about reads; every write goes through a function of this schema,
-- since order, member limits and the last owner require locks, which a policy cannot take. The application has no
-- INSERT, UPDATE or DELETE on rows that others can see.
create schema akashi_chat authorization akashi_owner;
comment on schema akashi_chat is 'The chat application: rooms, messages, files, notifications.';
grant usage on schema akashi_chat to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;

set local role akashi_owner;

create table akashi_chat.rooms (
  id                      uuid primary key default gen_random_uuid(),
  name                    varchar(100) not null constraint rooms_name_check check (length(name) between 1 and 100),
  description             text check (length(description) between 1 and 2000),
  room_type               varchar(20) not null default 'public' check (room_type in ('public', 'private', 'direct', 'group')),
  max_members             integer not null default 100 constraint rooms_max_members_check check (max_members between 1 and 1000),
  direct_key              text unique check ((room_type in ('direct', 'group')) = (direct_key is not null)),
  created_by              uuid references akashi_auth.users (id) on delete set null,
  is_encrypted            boolean not null default false check (not is_encrypted or room_type = 'private'),
  key_destroyed_at        timestamptz check (key_destroyed_at is null or is_encrypted and is_deleted),
  is_active               boolean not null default true,
  is_deleted              boolean not null default false,
  security_classification varchar(50) not null default 'internal'
    check (security_classification in ('public', 'internal', 'confidential', 'restricted')),
  compliance_tags         jsonb not null default '{}' check (jsonb_typeof(compliance_tags) = 'object'),
  created_at              timestamptz not null default now(),
  updated_at              timestamptz not null default now(),
  last_modified_by        varchar(255),
  unique (id, is_encrypted)
);
comment on column akashi_chat.rooms.is_encrypted is
  'Its messages are stored as ciphertext under a key of the room; decided when the room is created.';
comment on column akashi_chat.rooms.key_destroyed_at is 'When the key of a deleted encrypted room was destroyed in the keyring.';
comment on table akashi_chat.rooms is 'A conversation: public (anybody signed in may join), private (by invitation), direct (two people) or group (three to eight people, always the same).';
comment on column akashi_chat.rooms.direct_key is 'The user ids of a direct room or group in order: one room for the same people.';
comment on column akashi_chat.rooms.is_active is 'False: archived; it can be read but no longer written to.';

create index rooms_type_idx on akashi_chat.rooms (room_type, is_active, is_deleted);
create index rooms_created_by_idx on akashi_chat.rooms (created_by);
create index rooms_created_at_idx on akashi_chat.rooms (created_at);
create index rooms_names_idx on akashi_chat.rooms
  using gin (akashi_auth.ngrams(akashi_auth.fold_text(name || E'\n' || coalesce(description, ''))))
  where room_type = 'public' and is_active and not is_deleted;
create trigger update_updated_at before update on akashi_chat.rooms for each row execute function akashi_auth.update_updated_at();
alter table akashi_chat.rooms enable row level security, force row level security;
create policy rooms_owner on akashi_chat.rooms to akashi_owner using (true) with check (true);
create policy rooms_policy_read on akashi_chat.rooms for select to akashi_policy using (true);
create policy rooms_staff on akashi_chat.rooms for select to akashi_worker, akashi_security_admin using (true);
grant select on akashi_chat.rooms to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;
select akashi_audit.protect('akashi_chat.rooms', ignore => array['updated_at', 'last_modified_by']);

create table akashi_chat.room_members (
  id                 uuid primary key default gen_random_uuid(),
  room_id            uuid not null references akashi_chat.rooms (id) on delete cascade,
  user_id            uuid not null references akashi_auth.users (id) on delete cascade,
  role               varchar(20) not null default 'member' check (role in ('owner', 'admin', 'member')),
  notification_level varchar(20) not null default 'mentions' check (notification_level in ('all', 'mentions', 'none')),
  joined_at          timestamptz not null default now(),
  left_at            timestamptz,
  removed_at         timestamptz,
  banned_at          timestamptz,
  is_active          boolean not null default true,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  created_by         varchar(255) default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by   varchar(255),
  unique (room_id, user_id),
  check (is_active = (left_at is null)),
  check (removed_at is null or not is_active),
  check (banned_at is null or not is_active)
);
comment on column akashi_chat.room_members.removed_at is 'When somebody else removed the person, who can return only by a new invitation.';
comment on column akashi_chat.room_members.banned_at is 'Since when the person is banned, and cannot be invited until the ban is lifted.';
comment on table akashi_chat.room_members is 'Who is or was in a room, with their role.';

create index room_members_room_idx on akashi_chat.room_members (room_id, is_active);
create index room_members_user_idx on akashi_chat.room_members (user_id, is_active);
create index room_members_role_idx on akashi_chat.room_members (room_id, role);
create trigger update_updated_at before update on akashi_chat.room_members for each row execute function akashi_auth.update_updated_at();
alter table akashi_chat.room_members enable row level security, force row level security;
create policy room_members_owner on akashi_chat.room_members to akashi_owner using (true) with check (true);
create policy room_members_policy_read on akashi_chat.room_members for select to akashi_policy using (true);
create policy room_members_staff on akashi_chat.room_members for select to akashi_worker, akashi_security_admin using (true);
grant select on akashi_chat.room_members to akashi_app, akashi_worker, akashi_security_admin, akashi_policy;
select akashi_audit.protect('akashi_chat.room_members', subject => 'user_id', ignore => array['updated_at', 'last_modified_by']);

create table akashi_chat.room_keys (
  room_id      uuid not null,
  user_id      uuid not null references akashi_auth.users (id) on delete cascade,
  is_encrypted boolean not null default true check (is_encrypted),
  wrapped      bytea not null check (octet_length(wrapped) = 88),
  created_at   timestamptz not null default now(),
  primary key (room_id, user_id),
  foreign key (room_id, is_encrypted) references akashi_chat.rooms (id, is_encrypted) on delete cascade
);
comment on table akashi_chat.room_keys is
  'The key of an encrypted room, a copy for each member and invited person. Decrypting it requires the keys of the room and of the person, which are in the keyring.';
create index room_keys_user_idx on akashi_chat.room_keys (user_id);
alter table akashi_chat.room_keys enable row level security, force row level security;
create policy room_keys_owner on akashi_chat.room_keys to akashi_owner using (true) with check (true);
grant select on akashi_chat.room_keys to akashi_app;
select akashi_audit.protect('akashi_chat.room_keys', 'restricted', 'user_id', '{"wrapped": "omit"}');

create table akashi_chat.room_invitations (
  id               uuid primary key default gen_random_uuid(),
  room_id          uuid not null references akashi_chat.rooms (id) on delete cascade,
  invited_user_id  uuid not null references akashi_auth.users (id) on delete cascade,
  invited_by       uuid references akashi_auth.users (id) on delete set null,
  status           varchar(20) not null default 'pending' check (status in ('pending', 'accepted', 'declined', 'revoked')),
  expires_at       timestamptz not null,
  responded_at     timestamptz,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       varchar(255) default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by varchar(255),
  check ((status = 'pending') = (responded_at is null))
);
comment on table akashi_chat.room_invitations is 'Invitations. Each can be accepted or declined once, before expires_at.';

create unique index room_invitations_pending_idx on akashi_chat.room_invitations (room_id, invited_user_id) where status = 'pending';
create index room_invitations_user_idx on akashi_chat.room_invitations (invited_user_id, status);
create trigger update_updated_at before update on akashi_chat.room_invitations for each row execute function akashi_auth.update_updated_at();
alter table akashi_chat.room_invitations enable row level security, force row level security;
create policy room_invitations_owner on akashi_chat.room_invitations to akashi_owner using (true) with check (true);
create policy room_invitations_policy_read on akashi_chat.room_invitations for select to akashi_policy using (true);
create policy room_invitations_staff on akashi_chat.room_invitations for select to akashi_security_admin using (true);
grant select on akashi_chat.room_invitations to akashi_app, akashi_security_admin, akashi_policy;
select akashi_audit.protect('akashi_chat.room_invitations', subject => 'invited_user_id', ignore => array['updated_at', 'last_modified_by']);

create table akashi_chat.room_sequences (
  room_id         uuid primary key references akashi_chat.rooms (id) on delete cascade,
  last_sequence   bigint not null default 0,
  last_message_at timestamptz not null default '-infinity'
) with (fillfactor = 50);
comment on table akashi_chat.room_sequences is
  'The row that is locked to order the events of a room. Separate from akashi_chat.rooms, so that a message writes no audit row for the room.';
alter table akashi_chat.room_sequences enable row level security, force row level security;
create policy room_sequences_owner on akashi_chat.room_sequences to akashi_owner using (true) with check (true);
create policy room_sequences_worker on akashi_chat.room_sequences for select to akashi_worker using (true);
grant select on akashi_chat.room_sequences to akashi_app, akashi_worker;
select akashi_audit.exempt('akashi_chat.room_sequences', 'a counter; what it counts is in the trail');

create table akashi_chat.room_events (
  room_id            uuid not null references akashi_chat.rooms (id) on delete cascade,
  sequence           bigint not null,
  event_type         varchar(30) not null check (event_type in ('message_created', 'message_edited', 'message_deleted',
    'reaction_added', 'reaction_removed', 'member_joined', 'member_left', 'member_changed', 'room_changed', 'room_deleted')),
  message_id         uuid,
  user_id            uuid,
  detail             jsonb not null default '{}',
  created_at         timestamptz not null default now(),
  primary key (room_id, sequence)
);
comment on table akashi_chat.room_events is
  'The events of a room, in order: a client that lost its connection requests everything after its last sequence. Messages themselves are looked up; for older events the client reloads the history.';
comment on column akashi_chat.room_events.user_id is 'The person it is about: the member, or the person who reacted.';
create index room_events_created_at_idx on akashi_chat.room_events using brin (created_at);
alter table akashi_chat.room_events enable row level security, force row level security;
create policy room_events_owner on akashi_chat.room_events to akashi_owner using (true) with check (true);
create policy room_events_worker on akashi_chat.room_events for select to akashi_worker using (true);
grant select on akashi_chat.room_events to akashi_app, akashi_worker;
select akashi_audit.exempt('akashi_chat.room_events', 'derived in the same transaction from rows that are in the trail; kept for days');

grant create on schema akashi_chat to akashi_policy;
reset role;
set local role akashi_policy;

-- One array per statement: `room_id = any ((select akashi_chat.my_rooms())::uuid[])` is an index condition, whereas a
-- correlated EXISTS is evaluated for every row.
create function akashi_chat.my_rooms() returns uuid[]
  language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select coalesce(array_agg(m.room_id), '{}')
  from akashi_chat.room_members m
  join akashi_chat.rooms r on r.id = m.room_id
  join akashi_auth.active_users u on u.id = m.user_id
  where m.user_id = akashi_auth.current_user_id() and m.is_active and not r.is_deleted
    and (select akashi_auth.key_permits('rooms:read'))
$$;
comment on function akashi_chat.my_rooms() is 'Rooms of the verified user, while the account is active.';

create function akashi_chat.my_managed_rooms() returns uuid[]
  language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select coalesce(array_agg(m.room_id), '{}')
  from akashi_chat.room_members m
  where m.user_id = akashi_auth.current_user_id() and m.is_active and m.role in ('owner', 'admin')
    and m.room_id = any (akashi_chat.my_rooms())
$$;
comment on function akashi_chat.my_managed_rooms() is 'Rooms in which the verified user is owner or admin.';

create function akashi_chat.my_invited_rooms() returns uuid[]
  language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
  select coalesce(array_agg(i.room_id), '{}')
  from akashi_chat.room_invitations i
  join akashi_auth.active_users u on u.id = i.invited_user_id
  where i.invited_user_id = akashi_auth.current_user_id() and i.status = 'pending' and i.expires_at > now()
    and (select akashi_auth.key_permits('rooms:read'))
$$;
comment on function akashi_chat.my_invited_rooms() is 'Rooms that the verified user is invited to, so that they can be seen before accepting.';

-- The active account of the verified context; fails when the caller is not signed in or lacks the permission.
create function akashi_chat.require_user(permission text default 'rooms:write') returns uuid
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  me uuid := akashi_auth.current_user_id();
begin
  if me is null or not exists (select from akashi_auth.active_users u where u.id = me) then
    raise exception 'the chat requires a signed-in user' using errcode = 'insufficient_privilege', hint = 'sign in first';
  end if;
  if not akashi_auth.shown_permits(permission) then
    raise exception 'the permission % is required', permission using errcode = 'insufficient_privilege',
      hint = 'ask somebody who may grant roles';
  end if;
  return me;
end
$$;

reset role;
revoke create on schema akashi_chat from akashi_policy;
grant execute on function akashi_chat.my_rooms(), akashi_chat.my_managed_rooms(), akashi_chat.my_invited_rooms()
  to akashi_owner, akashi_app;
grant execute on function akashi_chat.require_user(text) to akashi_owner;
set local role akashi_owner;

-- Who may read which rows of the tables above.
create policy rooms_visible on akashi_chat.rooms for select to akashi_app using (
  not is_deleted and (
    id = any ((select akashi_chat.my_rooms())::uuid[])
    or id = any ((select akashi_chat.my_invited_rooms())::uuid[])
    or (room_type = 'public' and (select akashi_auth.current_user_id()) is not null and (select akashi_auth.key_permits('rooms:read')))
    or (room_type::text not in ('direct', 'group') and (select akashi_auth.has_permission('rooms:admin')))));
create policy room_members_of_mine on akashi_chat.room_members for select to akashi_app
  using (room_id = any ((select akashi_chat.my_rooms())::uuid[]) or user_id = (select akashi_auth.current_user_id()));
create policy room_invitations_mine on akashi_chat.room_invitations for select to akashi_app
  using (invited_user_id = (select akashi_auth.current_user_id()) or room_id = any ((select akashi_chat.my_managed_rooms())::uuid[]));
create policy room_sequences_of_mine on akashi_chat.room_sequences for select to akashi_app
  using (room_id = any ((select akashi_chat.my_rooms())::uuid[]));
-- An invited person already has a copy but cannot read it yet.
create policy room_keys_mine on akashi_chat.room_keys for select to akashi_app
  using (user_id = (select akashi_auth.current_user_id()) and room_id = any ((select akashi_chat.my_rooms())::uuid[]));
create policy room_events_of_mine on akashi_chat.room_events for select to akashi_app
  using (room_id = any ((select akashi_chat.my_rooms())::uuid[]));

-- Appends an event to the room. The holder of the row lock is the only writer in the room until the transaction ends,
-- so the order of sequences is the order of commits.
create function akashi_chat.append_event(room uuid, kind text, message uuid, person uuid, details jsonb default '{}') returns bigint
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  turn bigint;
begin
  update akashi_chat.room_sequences s set last_sequence = s.last_sequence + 1 where s.room_id = room returning s.last_sequence into strict turn;
  insert into akashi_chat.room_events (room_id, sequence, event_type, message_id, user_id, detail)
  values (room, turn, kind, message, person, details);
  return turn;
end
$$;

-- Locks a room for a change of its members and returns the caller's membership. A room that the caller may not see is
-- reported as not found. Administrators of all rooms act as owners of every room except direct ones and groups, without a
-- membership: mine.id is then null.
create function akashi_chat.lock_room(room uuid, permission text default 'rooms:write', out target akashi_chat.rooms, out mine akashi_chat.room_members)
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  me uuid := akashi_chat.require_user(permission);
begin
  perform from akashi_chat.room_sequences s where s.room_id = room for update;
  select * into target from akashi_chat.rooms r where r.id = room and not r.is_deleted;
  select * into mine from akashi_chat.room_members m where m.room_id = room and m.user_id = me and m.is_active;
  if mine.id is null and target.room_type not in ('direct', 'group') and akashi_auth.has_permission('rooms:admin') then
    mine.room_id := room;
    mine.user_id := me;
    mine.role := 'owner';
  elsif target.id is null or (mine.id is null and target.room_type <> 'public' and not room = any (akashi_chat.my_invited_rooms())) then
    raise exception 'room not found' using errcode = 'no_data_found';
  end if;
end
$$;

create function akashi_chat.refuse_unless_role(mine akashi_chat.room_members, variadic allowed text[]) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if mine.role is null or mine.role <> all (allowed) then
    raise exception 'this requires the role % in the room', array_to_string(allowed, ' or ')
      using errcode = 'insufficient_privilege', hint = 'ask an owner of the room';
  end if;
end
$$;

create function akashi_chat.refuse_if_inactive(room akashi_chat.rooms) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not room.is_active then
    raise exception 'the room is archived' using errcode = 'AK003', hint = 'an owner can open it again';
  end if;
end
$$;

-- Only members and invited people have copies of the key of an encrypted room.
create function akashi_chat.drop_unused_keys(room uuid default null) returns bigint
  language sql set search_path = pg_catalog, pg_temp as $$
  with gone as (
    delete from akashi_chat.room_keys k
    where (drop_unused_keys.room is null or k.room_id = drop_unused_keys.room)
      and not exists (select from akashi_chat.room_members m where m.room_id = k.room_id and m.user_id = k.user_id and m.is_active)
      and not exists (select from akashi_chat.room_invitations i where i.room_id = k.room_id and i.invited_user_id = k.user_id
                      and i.status = 'pending' and i.expires_at > now())
    returning 1)
  select count(*) from gone
$$;

-- An expired invitation cannot be used to return later.
create function akashi_chat.end_invitations(room uuid, person uuid) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_chat.room_invitations i set status = 'revoked', responded_at = now()
  where i.room_id = end_invitations.room and (i.invited_user_id = person or i.invited_by = person) and i.status = 'pending';
  perform akashi_chat.drop_unused_keys(room);
end
$$;

create function akashi_chat.refuse_banned(room uuid, person uuid) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from akashi_chat.room_members m where m.room_id = room and m.user_id = person and m.banned_at is not null) then
    raise exception 'this person is banned from the room' using errcode = 'insufficient_privilege',
      hint = 'an owner or admin of the room can lift the ban';
  end if;
end
$$;

-- The room's row is locked by the caller, so the count cannot change until the end of the transaction.
create function akashi_chat.add_member(room akashi_chat.rooms, person uuid, as_role text) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if (select count(*) from akashi_chat.room_members m where m.room_id = room.id and m.is_active) >= room.max_members then
    raise exception 'the room is full: % members', room.max_members using errcode = 'AK003', hint = 'an owner can raise max_members, to at most 1000';
  end if;
  perform akashi_chat.refuse_banned(room.id, person);
  if room.is_encrypted and not exists (select from akashi_chat.room_keys k where k.room_id = room.id and k.user_id = person) then
    raise exception 'this person has no copy of the key of the room' using errcode = 'AK003',
      hint = 'an owner or admin who is a member has to invite them';
  end if;
  -- What is said to a few people alone concerns each of them.
  insert into akashi_chat.room_members as m (room_id, user_id, role, notification_level)
  values (room.id, person, as_role, case when room.room_type in ('direct', 'group') then 'all' else 'mentions' end)
  on conflict (room_id, user_id) do update set role = excluded.role, is_active = true, left_at = null, removed_at = null,
    joined_at = now();
  perform akashi_chat.end_invitations(room.id, person);
  perform akashi_chat.append_event(room.id, 'member_joined', null, person, jsonb_build_object('role', as_role));
end
$$;

create function akashi_chat.create_room(
  name text, room_type text default 'public', description text default null, max_members integer default 100,
  encrypted_as uuid default null, key_copy bytea default null
) returns akashi_chat.rooms language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  me uuid := akashi_chat.require_user();
  room akashi_chat.rooms;
begin
  if create_room.room_type not in ('public', 'private') then
    raise exception 'a room must be public or private' using errcode = 'invalid_parameter_value', hint = 'open a direct room with a person instead';
  end if;
  if encrypted_as is not null and create_room.room_type <> 'private' then
    raise exception 'an encrypted room must be private' using errcode = 'invalid_parameter_value';
  end if;
  insert into akashi_chat.rooms (id, name, room_type, description, max_members, is_encrypted, created_by)
  values (coalesce(encrypted_as, gen_random_uuid()), btrim(create_room.name), create_room.room_type,
    nullif(btrim(create_room.description), ''), create_room.max_members, encrypted_as is not null, me)
  returning * into room;
  insert into akashi_chat.room_sequences (room_id) values (room.id);
  if room.is_encrypted then
    insert into akashi_chat.room_keys (room_id, user_id, wrapped) values (room.id, me, key_copy);
  end if;
  perform akashi_chat.add_member(room, me, 'owner');
  return room;
end
$$;
comment on function akashi_chat.create_room(text, text, text, integer, uuid, bytea) is
  'The caller becomes the owner. encrypted_as: the id of an encrypted room, for which a key was created; key_copy: the caller''s copy.';

create function akashi_chat.open_direct_room(with_user uuid) returns akashi_chat.rooms
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  me uuid := akashi_chat.require_user();
  pair text := least(me::text, with_user::text) || ':' || greatest(me::text, with_user::text);
  room akashi_chat.rooms;
begin
  if with_user = me then
    raise exception 'a direct room is for two people' using errcode = 'invalid_parameter_value';
  end if;
  select * into room from akashi_chat.rooms r where r.direct_key = pair;
  if found then
    return room;
  end if;
  if not exists (select from akashi_auth.active_users u where u.id = with_user) or not akashi_chat.accepts_direct(with_user, me) then
    raise exception 'this person does not accept messages' using errcode = 'no_data_found';
  end if;
  insert into akashi_chat.rooms (name, room_type, max_members, direct_key, created_by)
  values ('direct', 'direct', 2, pair, me) on conflict (direct_key) do nothing returning * into room;
  if not found then -- the other one opened it just now
    select * into strict room from akashi_chat.rooms r where r.direct_key = pair;
    return room;
  end if;
  insert into akashi_chat.room_sequences (room_id) values (room.id);
  perform akashi_chat.add_member(room, me, 'member'), akashi_chat.add_member(room, with_user, 'member');
  return room;
end
$$;
comment on function akashi_chat.open_direct_room(uuid) is 'The direct room of two people, created on first use; the same for both.';

-- The same people always get the same group, so nobody can be added to what others wrote among themselves.
create function akashi_chat.open_group(with_users uuid[]) returns akashi_chat.rooms
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  me uuid := akashi_chat.require_user();
  people constant uuid[] := array(select distinct p from unnest(with_users || me) p where p is not null order by p);
  together constant text := array_to_string(people, ':');
  room akashi_chat.rooms;
begin
  if cardinality(people) not between 3 and 8 then
    raise exception 'a group has three to eight people, you included' using errcode = 'invalid_parameter_value',
      hint = 'open a direct room with one person, or create a private room for more';
  end if;
  select * into room from akashi_chat.rooms r where r.direct_key = together;
  if found then
    return room;
  end if;
  if exists (select from unnest(people) p where p <> me and (
    not exists (select from akashi_auth.active_users u where u.id = p) or not akashi_chat.accepts_direct(p, me))) then
    raise exception 'one of these people does not accept messages' using errcode = 'no_data_found';
  end if;
  insert into akashi_chat.rooms (name, room_type, max_members, direct_key, created_by)
  values ('group', 'group', 8, together, me) on conflict (direct_key) do nothing returning * into room;
  if not found then -- another one of them opened it just now
    select * into strict room from akashi_chat.rooms r where r.direct_key = together;
    return room;
  end if;
  insert into akashi_chat.room_sequences (room_id) values (room.id);
  perform akashi_chat.add_member(room, p, 'member') from unnest(people) p;
  return room;
end
$$;
comment on function akashi_chat.open_group(uuid[]) is
  'The conversation of the caller with two to seven others, created on first use; the same for all of them.';

create function akashi_chat.join_room(room uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
begin
  select * into held from akashi_chat.lock_room(room, 'rooms:read');
  perform akashi_chat.refuse_if_inactive(held.target);
  if (held.mine).id is not null then
    return;
  end if;
  if exists (select from akashi_chat.room_members m
             where m.room_id = room and m.user_id = akashi_auth.current_user_id() and m.removed_at is not null) then
    raise exception 'a person who was removed from a room can return only by invitation' using errcode = 'insufficient_privilege',
      hint = 'ask an owner or admin of the room';
  end if;
  if (held.target).room_type <> 'public' then
    raise exception 'a private room can be joined only by invitation' using errcode = 'insufficient_privilege', hint = 'accept the invitation';
  end if;
  perform akashi_chat.add_member(held.target, akashi_auth.current_user_id(), 'member');
end
$$;

create function akashi_chat.leave_room(room uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
begin
  select * into held from akashi_chat.lock_room(room, 'rooms:read');
  if (held.mine).id is null then
    return;
  end if;
  perform akashi_chat.refuse_direct(held.target);
  if (held.mine).role = 'owner' and not exists (
    select from akashi_chat.room_members m where m.room_id = room and m.is_active and m.role = 'owner' and m.id <> (held.mine).id) then
    raise exception 'the last owner cannot leave' using errcode = 'AK003', hint = 'make another member owner first, or delete the room';
  end if;
  perform akashi_chat.end_membership(held.mine);
end
$$;

create function akashi_chat.refuse_direct(room akashi_chat.rooms) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if room.room_type in ('direct', 'group') then
    raise exception 'the members of a direct room or group cannot change' using errcode = 'AK003',
      hint = 'start another conversation';
  end if;
end
$$;

create function akashi_chat.end_membership(member akashi_chat.room_members) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_chat.room_members m set is_active = false, left_at = now(), role = 'member' where m.id = member.id;
  perform akashi_chat.end_invitations(member.room_id, member.user_id);
  perform akashi_chat.append_event(member.room_id, 'member_left', null, member.user_id);
end
$$;

create function akashi_chat.remove_member(room uuid, person uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
  member akashi_chat.room_members;
begin
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin'), akashi_chat.refuse_direct(held.target);
  select * into member from akashi_chat.room_members m where m.room_id = room and m.user_id = person and m.is_active;
  if not found then
    raise exception 'member not found' using errcode = 'no_data_found';
  end if;
  if person = (held.mine).user_id then
    raise exception 'members cannot remove themselves' using errcode = 'AK003', hint = 'leave the room instead';
  end if;
  if member.role <> 'member' then
    perform akashi_chat.refuse_unless_role(held.mine, 'owner');
  end if;
  perform akashi_chat.end_membership(member);
  update akashi_chat.room_members m set removed_at = now() where m.id = member.id;
end
$$;
comment on function akashi_chat.remove_member(uuid, uuid) is
  'Owners can remove anybody, admins only members. A removed person can return only by a new invitation.';

-- Bans somebody from a room, member or not, or lifts the ban. Owners can ban anybody, admins only members.
create function akashi_chat.ban_member(room uuid, person uuid, banned boolean) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
  member akashi_chat.room_members;
begin
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin'), akashi_chat.refuse_direct(held.target);
  select * into member from akashi_chat.room_members m where m.room_id = room and m.user_id = person;
  if not banned then
    update akashi_chat.room_members m set banned_at = null where m.id = member.id and m.banned_at is not null;
    if not found then
      raise exception 'this person is not banned' using errcode = 'no_data_found';
    end if;
    return;
  end if;
  if person = (held.mine).user_id then
    raise exception 'members cannot ban themselves' using errcode = 'AK003', hint = 'leave the room instead';
  end if;
  if member.id is null then
    if not exists (select from akashi_auth.active_users u where u.id = person) then
      raise exception 'user not found' using errcode = 'no_data_found';
    end if;
    insert into akashi_chat.room_members (room_id, user_id, is_active, left_at, removed_at, banned_at)
    values (room, person, false, now(), now(), now());
    perform akashi_chat.end_invitations(room, person);
    return;
  end if;
  if member.is_active then
    if member.role <> 'member' then
      perform akashi_chat.refuse_unless_role(held.mine, 'owner');
    end if;
    if member.role = 'owner' and not exists (
      select from akashi_chat.room_members m where m.room_id = room and m.is_active and m.role = 'owner' and m.id <> member.id) then
      raise exception 'a room needs an owner' using errcode = 'AK003', hint = 'make another member owner first';
    end if;
    perform akashi_chat.end_membership(member);
  end if;
  update akashi_chat.room_members m set removed_at = now(), banned_at = now() where m.id = member.id;
end
$$;
comment on function akashi_chat.ban_member(uuid, uuid, boolean) is 'A banned person cannot join, not even by invitation.';

-- Makes somebody, member or not, the only owner of a room: for rooms without an active owner. Former owners become
-- admins.
create function akashi_chat.transfer_room(room uuid, person uuid, reason text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
  former uuid;
begin
  perform akashi_auth.require_permission('rooms:admin');
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_direct(held.target);
  if not exists (select from akashi_auth.active_users u where u.id = person) then
    raise exception 'user not found' using errcode = 'no_data_found';
  end if;
  if exists (select from akashi_chat.room_members m where m.room_id = room and m.user_id = person and m.is_active) then
    update akashi_chat.room_members m set role = 'owner' where m.room_id = room and m.user_id = person and m.role <> 'owner';
    if found then
      perform akashi_chat.append_event(room, 'member_changed', null, person, '{"role": "owner"}');
    end if;
  else
    perform akashi_chat.add_member(held.target, person, 'owner');
  end if;
  for former in
    update akashi_chat.room_members m set role = 'admin'
    where m.room_id = room and m.role = 'owner' and m.is_active and m.user_id <> person returning m.user_id
  loop
    perform akashi_chat.append_event(room, 'member_changed', null, former, '{"role": "admin"}');
  end loop;
  perform akashi_audit.record_action('room_transferred', 'transfer', 'room', room::text, 'SUCCESS',
    jsonb_build_object('reason', reason), data_subject => person::text);
end
$$;
comment on function akashi_chat.transfer_room(uuid, uuid, text) is 'Requires rooms:admin.';

create function akashi_chat.set_member_role(room uuid, person uuid, new_role text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
  member akashi_chat.room_members;
begin
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_unless_role(held.mine, 'owner'), akashi_chat.refuse_direct(held.target);
  select * into member from akashi_chat.room_members m where m.room_id = room and m.user_id = person and m.is_active;
  if not found then
    raise exception 'member not found' using errcode = 'no_data_found';
  end if;
  if member.role = 'owner' and new_role <> 'owner' and not exists (
    select from akashi_chat.room_members m where m.room_id = room and m.is_active and m.role = 'owner' and m.id <> member.id) then
    raise exception 'a room needs an owner' using errcode = 'AK003', hint = 'make another member owner first';
  end if;
  update akashi_chat.room_members m set role = new_role where m.id = member.id and m.role <> new_role;
  if found then
    perform akashi_chat.append_event(room, 'member_changed', null, person, jsonb_build_object('role', new_role));
  end if;
end
$$;

create function akashi_chat.set_notification_level(room uuid, level text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_chat.room_members m set notification_level = level
  where m.room_id = room and m.user_id = akashi_chat.require_user('rooms:read') and m.is_active;
  if not found then
    raise exception 'room not found' using errcode = 'no_data_found';
  end if;
end
$$;

create function akashi_chat.update_room(room uuid, changes jsonb) returns akashi_chat.rooms
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
  changed akashi_chat.rooms;
begin
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin'), akashi_chat.refuse_direct(held.target);
  if changes ?| array['max_members', 'room_type', 'is_active'] then
    perform akashi_chat.refuse_unless_role(held.mine, 'owner');
  end if;
  if coalesce(changes ->> 'room_type', 'public') not in ('public', 'private') then
    raise exception 'a room must be public or private' using errcode = 'invalid_parameter_value';
  end if;
  -- Private messages were written for the members of that time.
  if (held.target).room_type = 'private' and changes ->> 'room_type' = 'public' then
    raise exception 'a private room cannot become public' using errcode = 'AK003', hint = 'create a public room instead';
  end if;
  if (changes ->> 'max_members')::integer < (select count(*) from akashi_chat.room_members m where m.room_id = room and m.is_active) then
    raise exception 'the room has more members than this limit' using errcode = 'AK003';
  end if;
  update akashi_chat.rooms r set
    name = coalesce(btrim(changes ->> 'name'), r.name),
    description = case when changes ? 'description' then nullif(btrim(changes ->> 'description'), '') else r.description end,
    room_type = coalesce(changes ->> 'room_type', r.room_type),
    max_members = coalesce((changes ->> 'max_members')::integer, r.max_members),
    is_active = coalesce((changes ->> 'is_active')::boolean, r.is_active),
    security_classification = coalesce(changes ->> 'security_classification', r.security_classification),
    compliance_tags = coalesce(changes -> 'compliance_tags', r.compliance_tags)
  where r.id = room returning * into changed;
  -- Members may invite to a public room, only owners and admins to a private one.
  if (held.target).room_type = 'public' and changed.room_type = 'private' then
    update akashi_chat.room_invitations i set status = 'revoked', responded_at = now()
    where i.room_id = room and i.status = 'pending' and not exists (
      select from akashi_chat.room_members m
      where m.room_id = room and m.user_id = i.invited_by and m.is_active and m.role in ('owner', 'admin'));
  end if;
  perform akashi_chat.append_event(room, 'room_changed', null, (held.mine).user_id);
  return changed;
end
$$;
comment on function akashi_chat.update_room(uuid, jsonb) is
  'changes: any of name, description, security_classification, compliance_tags (owner or admin), max_members, room_type, is_active (owner).';

create function akashi_chat.delete_room(room uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
begin
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_unless_role(held.mine, 'owner'), akashi_chat.refuse_direct(held.target);
  -- Its messages cannot be read again.
  if (held.target).is_encrypted then
    if akashi_chat.is_held() or exists (
      select from akashi_auth.held_users h where h.id in (select m.user_id from akashi_chat.room_members m where m.room_id = room)) then
      raise exception 'the room is under legal hold' using errcode = 'AK003', hint = 'archive it, and delete it when the hold is lifted';
    end if;
    delete from akashi_chat.room_keys k where k.room_id = room;
    perform akashi_audit.record_action('room_key_erased', 'erase', 'room', room::text, 'SUCCESS', '{}', 'restricted');
  end if;
  perform akashi_chat.append_event(room, 'room_deleted', null, (held.mine).user_id);
  update akashi_chat.rooms r set is_deleted = true, is_active = false where r.id = room;
end
$$;
comment on function akashi_chat.delete_room(uuid) is 'The key of an encrypted room is destroyed afterwards.';

create function akashi_chat.rooms_to_forget() returns setof uuid
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select r.id from akashi_chat.rooms r where r.is_encrypted and r.is_deleted and r.key_destroyed_at is null
$$;
comment on function akashi_chat.rooms_to_forget() is 'Deleted encrypted rooms whose key is to be destroyed in the keyring.';

create function akashi_chat.room_key_destroyed(room uuid) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  update akashi_chat.rooms r set key_destroyed_at = now() where r.id = room and r.is_encrypted and r.is_deleted and r.key_destroyed_at is null
$$;

create function akashi_chat.invite(room uuid, person uuid, valid_for interval default '7 days', key_copy bytea default null) returns akashi_chat.room_invitations
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
  invitation akashi_chat.room_invitations;
  renewed boolean;
  -- Limits of invitations: one person to one room within 7 days, and all of a sender within an hour.
  most_of_one constant integer := 5;
  most_an_hour constant integer := 100;
begin
  select * into held from akashi_chat.lock_room(room);
  perform akashi_chat.refuse_direct(held.target), akashi_chat.refuse_if_inactive(held.target);
  if (held.target).room_type = 'private' then
    perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin');
  else
    perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin', 'member');
  end if;
  if valid_for not between interval '1 minute' and interval '90 days' then
    raise exception 'an invitation must be valid for between a minute and 90 days' using errcode = 'invalid_parameter_value';
  end if;
  if not exists (select from akashi_auth.active_users u where u.id = person) then
    raise exception 'user not found' using errcode = 'no_data_found';
  end if;
  if exists (select from akashi_chat.room_members m where m.room_id = room and m.user_id = person and m.is_active) then
    raise exception 'this person is already a member' using errcode = 'AK003';
  end if;
  perform akashi_chat.refuse_banned(room, person);
  renewed := exists (select from akashi_chat.room_invitations i
                     where i.room_id = invite.room and i.invited_user_id = person and i.status = 'pending');
  if not renewed and (select count(*) from akashi_chat.room_invitations i where i.room_id = invite.room
                      and i.invited_user_id = person and i.created_at > now() - interval '7 days') >= most_of_one
     or (select count(*) from akashi_chat.room_invitations i
         where i.invited_by = (held.mine).user_id and i.created_at > now() - interval '1 hour') >= most_an_hour then
    raise exception 'too many invitations' using errcode = 'AK004', hint = 'invite again later';
  end if;
  if (held.target).is_encrypted then
    if (held.mine).id is null or key_copy is null then
      raise exception 'only a member can pass on the key of an encrypted room' using errcode = 'insufficient_privilege',
        hint = 'ask an owner or admin who is a member';
    end if;
    insert into akashi_chat.room_keys as k (room_id, user_id, wrapped) values (room, person, key_copy)
    on conflict on constraint room_keys_pkey do update set wrapped = excluded.wrapped;
  end if;
  insert into akashi_chat.room_invitations as i (room_id, invited_user_id, invited_by, expires_at)
  values (room, person, (held.mine).user_id, now() + valid_for)
  on conflict (room_id, invited_user_id) where status = 'pending'
  do update set expires_at = excluded.expires_at, invited_by = excluded.invited_by
  returning * into invitation;
  -- A renewal does not notify again.
  if not renewed then
    perform akashi_chat.notify_person(person, 'invitation', room, null, (held.mine).user_id);
  end if;
  return invitation;
end
$$;

create function akashi_chat.answer_invitation(invitation uuid, accept boolean) returns akashi_chat.room_invitations
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  me uuid := akashi_chat.require_user('rooms:read');
  answered akashi_chat.room_invitations;
  room akashi_chat.rooms;
begin
  select * into answered from akashi_chat.room_invitations i where i.id = invitation and i.invited_user_id = me;
  if not found then
    raise exception 'invitation not found' using errcode = 'no_data_found';
  end if;
  -- Locks the room before the invitation, in the same order as akashi_chat.invite.
  perform from akashi_chat.room_sequences s where s.room_id = answered.room_id for update;
  update akashi_chat.room_invitations i set status = case when accept then 'accepted' else 'declined' end, responded_at = now()
  where i.id = invitation and i.status = 'pending' and i.expires_at > now() returning * into answered;
  if not found then
    raise exception 'this invitation was accepted, declined or revoked, or has expired' using errcode = 'AK003', hint = 'ask for a new one';
  end if;
  if accept then
    select * into room from akashi_chat.rooms r where r.id = answered.room_id and not r.is_deleted;
    if not found then
      raise exception 'room not found' using errcode = 'no_data_found';
    end if;
    perform akashi_chat.refuse_if_inactive(room);
    if not exists (select from akashi_chat.room_members m where m.room_id = room.id and m.user_id = me and m.is_active) then
      perform akashi_chat.add_member(room, me, 'member');
    end if;
  else
    perform akashi_chat.drop_unused_keys(answered.room_id);
  end if;
  return answered;
end
$$;

create function akashi_chat.revoke_invitation(invitation uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
  wanted akashi_chat.room_invitations;
begin
  select * into wanted from akashi_chat.room_invitations i where i.id = invitation;
  if not found or not (wanted.room_id = any (akashi_chat.my_rooms()) or akashi_auth.has_permission('rooms:admin')) then
    raise exception 'invitation not found' using errcode = 'no_data_found';
  end if;
  select * into held from akashi_chat.lock_room(wanted.room_id);
  if wanted.invited_by is distinct from (held.mine).user_id then
    perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin');
  end if;
  update akashi_chat.room_invitations i set status = 'revoked', responded_at = now() where i.id = invitation and i.status = 'pending';
  perform akashi_chat.drop_unused_keys(wanted.room_id);
end
$$;

-- Public rooms as listed in the directory; only members see the members.
create function akashi_chat.public_rooms(matching text default '', after_name text default null, after_id uuid default null, page_size integer default 50)
  returns table (id uuid, name varchar, description text, member_count bigint, max_members integer, is_member boolean, created_at timestamptz)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  mine uuid[];
  terms constant text[] := akashi_auth.search_terms(matching);
  grams constant text[] := akashi_auth.term_ngrams(terms);
begin
  perform akashi_chat.require_user('rooms:read');
  mine := akashi_chat.my_rooms();
  return query
    select r.id, r.name, r.description,
      (select count(*) from akashi_chat.room_members m where m.room_id = r.id and m.is_active), r.max_members,
      r.id = any (mine), r.created_at
    from akashi_chat.rooms r
    where r.room_type = 'public' and r.is_active and not r.is_deleted
      and (cardinality(grams) = 0 or akashi_auth.ngrams(akashi_auth.fold_text(r.name || E'\n' || coalesce(r.description, ''))) @> grams)
      and akashi_auth.contains_terms(r.name || E'\n' || coalesce(r.description, ''), terms)
      and (after_name is null or (r.name, r.id) > (after_name, after_id))
    order by r.name, r.id limit least(greatest(page_size, 1), 200);
end
$$;
comment on function akashi_chat.public_rooms(text, text, uuid, integer) is
  'Public rooms by name whose name and description contain every word of matching; after_name and after_id begin the next page.';

grant execute on function
  akashi_chat.create_room(text, text, text, integer, uuid, bytea), akashi_chat.open_direct_room(uuid), akashi_chat.open_group(uuid[]), akashi_chat.join_room(uuid), akashi_chat.leave_room(uuid),
  akashi_chat.remove_member(uuid, uuid), akashi_chat.ban_member(uuid, uuid, boolean), akashi_chat.transfer_room(uuid, uuid, text), akashi_chat.set_member_role(uuid, uuid, text), akashi_chat.set_notification_level(uuid, text),
  akashi_chat.update_room(uuid, jsonb), akashi_chat.delete_room(uuid), akashi_chat.invite(uuid, uuid, interval, bytea), akashi_chat.answer_invitation(uuid, boolean),
  akashi_chat.revoke_invitation(uuid), akashi_chat.public_rooms(text, text, uuid, integer)
  to akashi_app;
grant execute on function akashi_chat.rooms_to_forget(), akashi_chat.room_key_destroyed(uuid) to akashi_worker;
