-- Chat: messages, reactions, files and notifications. A message's id is a UUID version 7 with the time of its
-- created_at, so the id alone determines its partition.
set local role akashi_owner;

create table akashi_chat.file_uploads (
  id                      uuid primary key default gen_random_uuid(),
  user_id                 uuid not null references akashi_auth.users (id) on delete cascade,
  room_id                 uuid not null references akashi_chat.rooms (id) on delete cascade,
  message_id              uuid,
  original_name           varchar(255) not null check (original_name <> ''),
  file_name               varchar(255) not null,
  file_size               bigint not null constraint file_uploads_size_check check (file_size between 1 and 104857600),
  mime_type               varchar(100) not null,
  file_path               text not null,
  thumbnail_path          text,
  sha256                  text check (sha256 ~ '^[0-9a-f]{64}$'),
  width                   integer check (width > 0),
  height                  integer check (height > 0),
  received_at             timestamptz,
  upload_status           varchar(20) not null default 'processing' check (upload_status in ('processing', 'completed', 'failed')),
  virus_scanned           boolean not null default false,
  failure_reason          varchar(100),
  is_deleted              boolean not null default false,
  removed_at              timestamptz,
  security_classification varchar(50) not null default 'internal'
    check (security_classification in ('public', 'internal', 'confidential', 'restricted')),
  created_at              timestamptz not null default now(),
  updated_at              timestamptz not null default now(),
  created_by              varchar(255) default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by        varchar(255),
  check (upload_status <> 'completed' or virus_scanned),
  check ((upload_status = 'failed') = (failure_reason is not null))
);
comment on table akashi_chat.file_uploads is 'Files of rooms; the bytes are in the object store under file_path. A file is completed only after it was scanned.';
comment on column akashi_chat.file_uploads.file_name is 'The name under which it is stored; original_name is only displayed.';
comment on column akashi_chat.file_uploads.received_at is 'When all bytes were stored; from then on it is waiting to be scanned.';
comment on column akashi_chat.file_uploads.removed_at is 'When the bytes of a deleted file were removed from the object store.';
comment on column akashi_chat.file_uploads.message_id is 'The message that it was sent with; without one only its uploader sees it.';
create index file_uploads_user_idx on akashi_chat.file_uploads (user_id, created_at desc);
create index file_uploads_status_idx on akashi_chat.file_uploads (upload_status, created_at);
create index file_uploads_waiting_idx on akashi_chat.file_uploads (received_at) where upload_status = 'processing';
create index file_uploads_deleted_idx on akashi_chat.file_uploads (updated_at) where is_deleted and removed_at is null;
create index file_uploads_mime_idx on akashi_chat.file_uploads (mime_type);
create index file_uploads_created_idx on akashi_chat.file_uploads (created_at);
create index file_uploads_room_idx on akashi_chat.file_uploads (room_id, created_at desc, id desc) where message_id is not null;
create trigger update_updated_at before update on akashi_chat.file_uploads for each row execute function akashi_auth.update_updated_at();
alter table akashi_chat.file_uploads enable row level security, force row level security;
create policy file_uploads_owner on akashi_chat.file_uploads to akashi_owner using (true) with check (true);
create policy file_uploads_shown on akashi_chat.file_uploads for select to akashi_app using (
  not is_deleted and (user_id = (select akashi_auth.current_user_id())
    or (message_id is not null and upload_status = 'completed' and room_id = any ((select akashi_chat.my_rooms())::uuid[]))));
create policy file_uploads_worker on akashi_chat.file_uploads for select to akashi_worker using (true);
create policy file_uploads_staff on akashi_chat.file_uploads for select to akashi_security_admin using (true);
grant select on akashi_chat.file_uploads to akashi_app, akashi_worker, akashi_security_admin;
select akashi_audit.protect('akashi_chat.file_uploads', 'internal', 'user_id', '{"original_name": "digest"}', array['updated_at', 'last_modified_by']);

create table akashi_chat.messages (
  id                      uuid not null,
  room_id                 uuid not null,
  user_id                 uuid references akashi_auth.users (id) on delete set null,
  sequence                bigint not null,
  content                 text not null,
  message_type            varchar(20) not null default 'text' check (message_type in ('text', 'image', 'file', 'system')),
  file_upload_id          uuid references akashi_chat.file_uploads (id) on delete set null,
  reply_to_id             uuid,
  mentioned_user_ids      uuid[] not null default '{}',
  client_id               uuid,
  is_edited               boolean not null default false,
  is_deleted              boolean not null default false,
  security_classification varchar(50) not null default 'internal'
    check (security_classification in ('public', 'internal', 'confidential', 'restricted')),
  content_encrypted       boolean not null default false,
  created_at              timestamptz not null,
  updated_at              timestamptz not null default now(),
  created_by              varchar(255) default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by        varchar(255),
  primary key (id, created_at),
  constraint messages_room_fkey foreign key (room_id, content_encrypted) references akashi_chat.rooms (id, is_encrypted) on delete cascade,
  constraint messages_content_check check (
    is_deleted or content_encrypted or length(content) <= 4000 and (length(content) >= 1 or message_type in ('image', 'file'))),
  -- Ciphertext bound to its row, of at most 16,000 bytes of text.
  constraint messages_sealed_check check (
    not content_encrypted or is_deleted and content = ''
    or client_id is not null and length(content) between 84 and 21500
       and content ~ ('^room1\.' || client_id::text || '\.[A-Za-z0-9+/]+={0,2}$'))
) partition by range (created_at);
comment on table akashi_chat.messages is 'Messages; a deleted message keeps its place without its text.';
comment on column akashi_chat.messages.client_id is 'Chosen by the client: sending it again returns the same message.';
comment on column akashi_chat.messages.content is
  'Empty if deleted; otherwise 1 to 4,000 characters, or none with a file. In an encrypted room the ciphertext, in base64.';
comment on column akashi_chat.messages.content_encrypted is 'Whether the room is encrypted.';
create index messages_room_created_idx on akashi_chat.messages (room_id, created_at desc);
create index messages_user_idx on akashi_chat.messages (user_id, created_at desc);
create index messages_reply_idx on akashi_chat.messages (reply_to_id) where reply_to_id is not null;
create index messages_file_idx on akashi_chat.messages (file_upload_id) where file_upload_id is not null;
create index messages_client_idx on akashi_chat.messages (client_id) where client_id is not null;
create trigger update_updated_at before update on akashi_chat.messages for each row execute function akashi_auth.update_updated_at();
alter table akashi_chat.messages enable row level security, force row level security;
create policy messages_owner on akashi_chat.messages to akashi_owner using (true) with check (true);
create policy messages_of_my_rooms on akashi_chat.messages for select to akashi_app
  using (room_id = any ((select akashi_chat.my_rooms())::uuid[]));
grant select on akashi_chat.messages to akashi_app;
select akashi_audit.protect('akashi_chat.messages', 'confidential', 'user_id', '{"content": "digest"}', array['updated_at', 'last_modified_by']);
insert into akashi_lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
values ('akashi_chat', 'messages', 'month', 3, '24 months', 'keep', '2555 days', false);
select akashi_lifecycle.apply_partitions();

-- The time in a UUID version 7, which is the message's created_at in milliseconds. Plain SQL without settings, so that
-- the planner can inline it.
create function akashi_chat.message_time(id uuid) returns timestamptz
  language sql immutable strict parallel safe
  return pg_catalog.to_timestamp(
    ('x' || pg_catalog.lpad(pg_catalog."left"(pg_catalog.replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0::double precision);

create table akashi_chat.message_edits (
  id               uuid primary key default gen_random_uuid(),
  message_id       uuid not null,
  room_id          uuid not null,
  edited_by        uuid references akashi_auth.users (id) on delete set null,
  kind             varchar(10) not null check (kind in ('edit', 'delete')),
  previous_content text not null,
  content_encrypted boolean not null default false,
  created_at       timestamptz not null default now(),
  foreign key (room_id, content_encrypted) references akashi_chat.rooms (id, is_encrypted) on delete cascade,
  check (not content_encrypted or length(previous_content) >= 84 and previous_content ~ '^room1\.[0-9a-f-]{36}\.[A-Za-z0-9+/]+={0,2}$')
);
comment on column akashi_chat.message_edits.kind is 'edit: visible to members; delete: the message was deleted by or after it.';
comment on table akashi_chat.message_edits is
  'Earlier texts of messages. Members see them until the message is deleted; from then on only a security administrator does, with a reason.';
create index message_edits_message_idx on akashi_chat.message_edits (message_id, created_at);
alter table akashi_chat.message_edits enable row level security, force row level security;
create policy message_edits_owner on akashi_chat.message_edits to akashi_owner using (true) with check (true);
create policy message_edits_of_my_rooms on akashi_chat.message_edits for select to akashi_app
  using (kind = 'edit' and room_id = any ((select akashi_chat.my_rooms())::uuid[]));
grant select on akashi_chat.message_edits to akashi_app;
select akashi_audit.protect('akashi_chat.message_edits', 'confidential', 'edited_by', '{"previous_content": "digest"}');

create table akashi_chat.message_reactions (
  id          uuid primary key default gen_random_uuid(),
  message_id  uuid not null,
  room_id     uuid not null references akashi_chat.rooms (id) on delete cascade,
  user_id     uuid not null references akashi_auth.users (id) on delete cascade,
  emoji       varchar(32) not null check (emoji <> ''),
  created_at  timestamptz not null default now(),
  created_by  varchar(255) default coalesce(akashi_auth.current_user_id()::text, session_user),
  unique (message_id, user_id, emoji)
);
comment on table akashi_chat.message_reactions is 'Who reacted to a message, once with each emoji.';
alter table akashi_chat.message_reactions enable row level security, force row level security;
create policy message_reactions_owner on akashi_chat.message_reactions to akashi_owner using (true) with check (true);
create policy message_reactions_of_my_rooms on akashi_chat.message_reactions for select to akashi_app
  using (room_id = any ((select akashi_chat.my_rooms())::uuid[]));
grant select on akashi_chat.message_reactions to akashi_app;
select akashi_audit.protect('akashi_chat.message_reactions', subject => 'user_id');

create table akashi_chat.read_positions (
  room_id         uuid not null references akashi_chat.rooms (id) on delete cascade,
  user_id         uuid not null references akashi_auth.users (id) on delete cascade,
  message_id      uuid not null,
  read_to         timestamptz not null,
  primary key (user_id, room_id)
) with (fillfactor = 70);
comment on table akashi_chat.read_positions is 'How far each person has read each room.';
comment on column akashi_chat.read_positions.read_to is 'created_at of the last message read; later ones are unread.';
alter table akashi_chat.read_positions enable row level security, force row level security;
create policy read_positions_owner on akashi_chat.read_positions to akashi_owner using (true) with check (true);
create policy read_positions_mine on akashi_chat.read_positions for select to akashi_app using (user_id = (select akashi_auth.current_user_id()));
grant select on akashi_chat.read_positions to akashi_app;
select akashi_audit.exempt('akashi_chat.read_positions', 'moves with every message read; contains nothing that is not in akashi_chat.messages');

create table akashi_chat.notifications (
  id                uuid primary key default gen_random_uuid(),
  user_id           uuid not null references akashi_auth.users (id) on delete cascade,
  notification_type varchar(20) not null check (notification_type in ('mention', 'reply', 'message', 'invitation')),
  room_id           uuid not null references akashi_chat.rooms (id) on delete cascade,
  message_id        uuid,
  actor_id          uuid references akashi_auth.users (id) on delete set null,
  delivery_status   varchar(20) not null default 'pending' check (delivery_status in ('pending', 'delivered', 'failed')),
  delivered_at      timestamptz,
  read_at           timestamptz,
  created_at        timestamptz not null default now(),
  updated_at        timestamptz not null default now(),
  created_by        varchar(255) default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by  varchar(255)
);
comment on table akashi_chat.notifications is 'Announces that there is something to read, without its text: the message is read under its own policy.';
comment on column akashi_chat.notifications.delivery_status is
  'pending until a client of the reader has fetched it; failed is reserved for deliveries through an external service.';
create index notifications_user_idx on akashi_chat.notifications (user_id, created_at desc);
create index notifications_pending_idx on akashi_chat.notifications (created_at) where delivery_status = 'pending';
create trigger update_updated_at before update on akashi_chat.notifications for each row execute function akashi_auth.update_updated_at();
alter table akashi_chat.notifications enable row level security, force row level security;
create policy notifications_owner on akashi_chat.notifications to akashi_owner using (true) with check (true);
create policy notifications_mine on akashi_chat.notifications for select to akashi_app using (user_id = (select akashi_auth.current_user_id()));
create policy notifications_read on akashi_chat.notifications for update to akashi_app
  using (user_id = (select akashi_auth.current_user_id())) with check (user_id = (select akashi_auth.current_user_id()));
create policy notifications_worker on akashi_chat.notifications for select to akashi_worker using (true);
create policy notifications_deliver on akashi_chat.notifications for update to akashi_worker using (true) with check (true);
grant select on akashi_chat.notifications to akashi_app, akashi_worker;
-- A notification counts as delivered when a client of the reader lists it.
grant update (read_at, delivery_status, delivered_at) on akashi_chat.notifications to akashi_app;
grant update (delivery_status, delivered_at) on akashi_chat.notifications to akashi_worker;
select akashi_audit.exempt('akashi_chat.notifications', 'derived from messages and invitations, which are in the trail; kept for 90 days');

create table akashi_chat.user_preferences (
  user_id            uuid primary key references akashi_auth.users (id) on delete cascade,
  -- Null: not set, so each device uses its own.
  locale             varchar(10) check (locale in ('ja', 'en')),
  time_zone          varchar(64) not null default (akashi_lifecycle.setting('organisation.time_zone') #>> '{}'),
  theme              varchar(10) not null default 'auto' check (theme in ('auto', 'light', 'dark')),
  show_presence      boolean not null default true,
  direct_messages    varchar(20) not null default 'everyone' check (direct_messages in ('everyone', 'shared_rooms', 'nobody')),
  notify_mentions    boolean not null default true,
  notify_replies     boolean not null default true,
  notify_invitations boolean not null default true,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  created_by         varchar(255) default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by   varchar(255)
);
comment on table akashi_chat.user_preferences is
  'How each person wants the application: language, theme, presence, notifications.';
create trigger update_updated_at before update on akashi_chat.user_preferences for each row execute function akashi_auth.update_updated_at();
alter table akashi_chat.user_preferences enable row level security, force row level security;
create policy user_preferences_owner on akashi_chat.user_preferences to akashi_owner using (true) with check (true);
create policy user_preferences_mine on akashi_chat.user_preferences to akashi_app
  using (user_id = (select akashi_auth.current_user_id())) with check (user_id = (select akashi_auth.current_user_id()));
grant select on akashi_chat.user_preferences to akashi_app;
grant insert (user_id, locale, time_zone, theme, show_presence, direct_messages, notify_mentions, notify_replies, notify_invitations),
  update (locale, time_zone, theme, show_presence, direct_messages, notify_mentions, notify_replies, notify_invitations)
  on akashi_chat.user_preferences to akashi_app;
select akashi_audit.protect('akashi_chat.user_preferences', subject => 'user_id', ignore => array['updated_at', 'last_modified_by']);

create function akashi_chat.message_id(at timestamptz) returns uuid
  language sql volatile strict set search_path = pg_catalog, pg_temp as $$
  select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    placing substring(int8send(round(extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
$$;

create function akashi_chat.accepts_direct(person uuid, from_user uuid) returns boolean
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select case coalesce((select p.direct_messages from akashi_chat.user_preferences p where p.user_id = person), 'everyone')
    when 'everyone' then true
    when 'nobody' then false
    else exists (select from akashi_chat.room_members a join akashi_chat.room_members b using (room_id)
                 where a.user_id = person and b.user_id = from_user and a.is_active and b.is_active)
  end
$$;

create function akashi_chat.notify_person(person uuid, kind text, room uuid, message uuid, actor uuid) returns void
  language sql set search_path = pg_catalog, pg_temp as $$
  insert into akashi_chat.notifications (user_id, notification_type, room_id, message_id, actor_id)
  select person, kind, room, message, actor
  where person is distinct from actor and coalesce((
    select case kind when 'mention' then p.notify_mentions when 'reply' then p.notify_replies
                     when 'invitation' then p.notify_invitations else true end
    from akashi_chat.user_preferences p where p.user_id = person), true)
$$;

-- In plpgsql, whose plans are cached, because it runs for every message.
create function akashi_chat.notify_members(message akashi_chat.messages, replied_to uuid) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into akashi_chat.notifications (user_id, notification_type, room_id, message_id, actor_id)
  select told.user_id, told.kind, message.room_id, message.id, message.user_id
  from (
    select m.user_id, case when m.user_id = replied_to then 'reply'
      when m.user_id = any (message.mentioned_user_ids) then 'mention' else 'message' end as kind
    from akashi_chat.room_members m
    where m.room_id = message.room_id and m.is_active and m.notification_level <> 'none'
      and (m.user_id = replied_to or m.user_id = any (message.mentioned_user_ids) or m.notification_level = 'all')) told
  left join akashi_chat.user_preferences p on p.user_id = told.user_id
  where told.user_id is distinct from message.user_id
    and coalesce(case told.kind when 'mention' then p.notify_mentions when 'reply' then p.notify_replies end, true);
end
$$;

create function akashi_chat.take_turn(room uuid, at timestamptz) returns bigint
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  turn bigint;
begin
  update akashi_chat.room_sequences s set last_sequence = s.last_sequence + 1, last_message_at = at
  where s.room_id = room returning s.last_sequence into turn;
  return turn;
end
$$;

create function akashi_chat.refuse_file(room akashi_chat.rooms) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if room.is_encrypted then
    raise exception 'files cannot be sent in an encrypted room' using errcode = 'AK003', hint = 'send it in another room';
  end if;
end
$$;

-- The only function that creates messages. Under the room's lock, each message gets a later time than all before it,
-- so that created_at is the order of the room.
create function akashi_chat.post_message(
  room uuid, content text, message_type text default 'text', file_upload uuid default null,
  reply_to uuid default null, mentions uuid[] default '{}', client uuid default null
) returns akashi_chat.messages
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  me uuid := akashi_chat.require_user();
  target akashi_chat.rooms;
  previous timestamptz;
  at timestamptz;
  replied_to uuid;
  upload akashi_chat.file_uploads;
  message akashi_chat.messages;
begin
  select s.last_message_at into previous from akashi_chat.room_sequences s where s.room_id = room for update;
  if not found or not exists (select from akashi_chat.room_members m where m.room_id = room and m.user_id = me and m.is_active) then
    raise exception 'room not found' using errcode = 'no_data_found';
  end if;
  if client is not null then
    select * into message from akashi_chat.messages m where m.client_id = client and m.room_id = room and m.user_id = me;
    if found then
      return message;
    end if;
  end if;
  select * into target from akashi_chat.rooms r where r.id = room;
  if target.is_deleted then
    raise exception 'room not found' using errcode = 'no_data_found';
  end if;
  perform akashi_chat.refuse_if_inactive(target);
  if message_type not in ('text', 'image', 'file') then
    raise exception 'a message must be text, image or file' using errcode = 'invalid_parameter_value';
  end if;
  perform akashi_chat.refuse_file(target) where file_upload is not null;
  if (message_type = 'text') = (file_upload is not null) then
    raise exception 'a message of type image or file needs a file, and other messages cannot have one'
      using errcode = 'invalid_parameter_value';
  end if;
  if reply_to is not null then
    select m.user_id into replied_to from akashi_chat.messages m
    where m.id = reply_to and m.created_at = akashi_chat.message_time(reply_to) and m.room_id = room;
    if not found then
      raise exception 'the message to reply to was not found' using errcode = 'no_data_found';
    end if;
  end if;
  at := greatest(date_trunc('milliseconds', clock_timestamp()), previous + interval '1 millisecond');
  insert into akashi_chat.messages (id, room_id, user_id, sequence, content, message_type, file_upload_id, reply_to_id,
    mentioned_user_ids, client_id, security_classification, content_encrypted, created_at, updated_at)
  values (akashi_chat.message_id(at), room, me, akashi_chat.take_turn(room, at), post_message.content, post_message.message_type,
    file_upload, reply_to, array(select m.user_id from akashi_chat.room_members m
      where m.room_id = room and m.is_active and m.user_id = any (mentions) order by 1),
    client, target.security_classification, target.is_encrypted, at, at)
  returning * into message;
  if file_upload is not null then
    update akashi_chat.file_uploads f set message_id = message.id
    where f.id = file_upload and f.user_id = me and f.room_id = room and f.message_id is null
      and f.upload_status <> 'failed' and not f.is_deleted
    returning * into upload;
    if not found then
      raise exception 'the file to send was not found' using errcode = 'no_data_found';
    end if;
  end if;
  insert into akashi_chat.room_events (room_id, sequence, event_type, message_id, user_id)
  values (room, message.sequence, 'message_created', message.id, me);
  perform akashi_chat.notify_members(message, replied_to);
  return message;
end
$$;
comment on function akashi_chat.post_message(uuid, text, text, uuid, uuid, uuid[], uuid) is
  'Sent again with the same client id, it returns the existing message and writes nothing.';

-- A message that the caller may see, with its room locked; otherwise not found.
create function akashi_chat.lock_message(message uuid, out target akashi_chat.messages, out mine akashi_chat.room_members)
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  me uuid := akashi_chat.require_user();
  room uuid;
begin
  select m.room_id into room from akashi_chat.messages m where m.id = message and m.created_at = akashi_chat.message_time(message);
  select * into mine from akashi_chat.room_members m where m.room_id = room and m.user_id = me and m.is_active;
  if mine.id is null or not room = any (akashi_chat.my_rooms()) then
    raise exception 'message not found' using errcode = 'no_data_found';
  end if;
  perform from akashi_chat.room_sequences s where s.room_id = room for update;
  perform akashi_chat.refuse_if_inactive(r) from akashi_chat.rooms r where r.id = room;
  select * into target from akashi_chat.messages m where m.id = message and m.created_at = akashi_chat.message_time(message);
  if target.is_deleted then
    raise exception 'the message was deleted' using errcode = 'AK003';
  end if;
end
$$;

create function akashi_chat.edit_message(message uuid, new_content text, mentions uuid[] default '{}') returns akashi_chat.messages
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
  edited akashi_chat.messages;
begin
  select * into held from akashi_chat.lock_message(message);
  if (held.target).user_id is distinct from (held.mine).user_id or (held.target).message_type = 'system' then
    raise exception 'only the author can edit a message' using errcode = 'insufficient_privilege';
  end if;
  if (held.target).content = new_content then
    return held.target;
  end if;
  insert into akashi_chat.message_edits (message_id, room_id, edited_by, kind, previous_content, content_encrypted)
  values (message, (held.target).room_id, (held.mine).user_id, 'edit', (held.target).content, (held.target).content_encrypted);
  update akashi_chat.messages m set content = new_content, is_edited = true, mentioned_user_ids = array(
    select p.user_id from akashi_chat.room_members p where p.room_id = m.room_id and p.is_active and p.user_id = any (mentions) order by 1)
  where m.id = message and m.created_at = akashi_chat.message_time(message) returning * into edited;
  perform akashi_chat.append_event(edited.room_id, 'message_edited', message, edited.user_id);
  return edited;
end
$$;

create function akashi_chat.delete_message(message uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
begin
  select * into held from akashi_chat.lock_message(message);
  if (held.target).user_id is distinct from (held.mine).user_id then
    perform akashi_chat.refuse_unless_role(held.mine, 'owner', 'admin');
  end if;
  insert into akashi_chat.message_edits (message_id, room_id, edited_by, kind, previous_content, content_encrypted)
  values (message, (held.target).room_id, (held.mine).user_id, 'delete', (held.target).content, (held.target).content_encrypted);
  update akashi_chat.message_edits e set kind = 'delete' where e.message_id = message and e.kind = 'edit';
  update akashi_chat.messages m set content = '', is_deleted = true, mentioned_user_ids = '{}'
  where m.id = message and m.created_at = akashi_chat.message_time(message);
  update akashi_chat.file_uploads f set is_deleted = true where f.id = (held.target).file_upload_id;
  delete from akashi_chat.message_reactions r where r.message_id = message;
  delete from akashi_chat.notifications n where n.message_id = message;
  perform akashi_chat.append_event((held.target).room_id, 'message_deleted', message, (held.mine).user_id);
end
$$;
comment on function akashi_chat.delete_message(uuid) is 'For its author, and for an owner or admin of the room.';

-- Authors may raise the classification; owners and admins of the room may set any.
create function akashi_chat.refuse_classification(mine akashi_chat.room_members, author uuid, present text, wanted text) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  levels constant text[] := array['public', 'internal', 'confidential', 'restricted'];
begin
  if array_position(levels, wanted) is null then
    raise exception '% is not a classification', coalesce(wanted, 'null') using errcode = 'invalid_parameter_value',
      hint = 'use public, internal, confidential or restricted';
  end if;
  if author is distinct from mine.user_id or array_position(levels, wanted) < array_position(levels, present) then
    perform akashi_chat.refuse_unless_role(mine, 'owner', 'admin');
  end if;
end
$$;

create function akashi_chat.classify_message(message uuid, security_classification text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
begin
  select * into held from akashi_chat.lock_message(message);
  perform akashi_chat.refuse_classification(held.mine, (held.target).user_id, (held.target).security_classification,
    classify_message.security_classification);
  update akashi_chat.messages m set security_classification = classify_message.security_classification
  where m.id = message and m.created_at = akashi_chat.message_time(message);
end
$$;
comment on function akashi_chat.classify_message(uuid, text) is 'Its author may raise the classification, an owner or admin of the room may set any.';

create function akashi_chat.classify_file(file uuid, security_classification text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  me uuid := akashi_chat.require_user();
  target akashi_chat.file_uploads;
  mine akashi_chat.room_members;
begin
  select * into target from akashi_chat.file_uploads f where f.id = file and not f.is_deleted for update;
  select * into mine from akashi_chat.room_members m where m.room_id = target.room_id and m.user_id = me and m.is_active;
  -- Only the uploader sees a file that is in no message.
  if mine.id is null or not target.room_id = any (akashi_chat.my_rooms())
     or (target.user_id <> me and (target.message_id is null or target.upload_status <> 'completed')) then
    raise exception 'file not found' using errcode = 'no_data_found';
  end if;
  perform akashi_chat.refuse_classification(mine, target.user_id, target.security_classification, classify_file.security_classification);
  update akashi_chat.file_uploads f set security_classification = classify_file.security_classification where f.id = file;
end
$$;
comment on function akashi_chat.classify_file(uuid, text) is 'Its uploader may raise the classification, an owner or admin of the room may set any.';

create function akashi_chat.add_reaction(message uuid, reaction text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
begin
  select * into held from akashi_chat.lock_message(message);
  -- Limit of distinct reactions to one message.
  if (select count(distinct r.emoji) from akashi_chat.message_reactions r where r.message_id = message and r.emoji <> reaction) >= 20 then
    raise exception 'a message can have at most 20 different reactions' using errcode = 'AK003';
  end if;
  insert into akashi_chat.message_reactions (message_id, room_id, user_id, emoji)
  values (message, (held.target).room_id, (held.mine).user_id, reaction) on conflict (message_id, user_id, emoji) do nothing;
  if found then
    perform akashi_chat.append_event((held.target).room_id, 'reaction_added', message, (held.mine).user_id, jsonb_build_object('emoji', reaction));
  end if;
end
$$;

create function akashi_chat.remove_reaction(message uuid, reaction text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
begin
  select * into held from akashi_chat.lock_message(message);
  delete from akashi_chat.message_reactions r where r.message_id = message and r.user_id = (held.mine).user_id and r.emoji = reaction;
  if found then
    perform akashi_chat.append_event((held.target).room_id, 'reaction_removed', message, (held.mine).user_id, jsonb_build_object('emoji', reaction));
  end if;
end
$$;

create function akashi_chat.mark_read(message uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  me uuid := akashi_chat.require_user('rooms:read');
  room uuid;
begin
  select m.room_id into room from akashi_chat.messages m where m.id = message and m.created_at = akashi_chat.message_time(message);
  if room is null or not room = any (akashi_chat.my_rooms()) then
    raise exception 'message not found' using errcode = 'no_data_found';
  end if;
  insert into akashi_chat.read_positions as p (room_id, user_id, message_id, read_to) values (room, me, message, akashi_chat.message_time(message))
  on conflict (user_id, room_id) do update set message_id = excluded.message_id, read_to = excluded.read_to
  where excluded.read_to > p.read_to;
  update akashi_chat.notifications n set read_at = now()
  where n.user_id = me and n.room_id = room and n.read_at is null and n.message_id is not null and akashi_chat.message_time(n.message_id) <= akashi_chat.message_time(message);
end
$$;
comment on function akashi_chat.mark_read(uuid) is 'Moves the caller''s read position forward, never back, and reads the notifications up to it.';

-- Files: announced by the application, completed by the worker that scanned them. Limits what a person has uploaded
-- but not sent yet, one upload of that person at a time.
create function akashi_chat.refuse_unsent(person uuid, more bigint) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  most_bytes constant bigint := 524288000;
  most_files constant integer := 100;
  unsent record;
begin
  -- Not an advisory lock, which any login could hold.
  perform from akashi_chat.room_members m where m.user_id = person order by m.id limit 1 for no key update;
  select count(*) as files, coalesce(sum(f.file_size), 0) as bytes into unsent from akashi_chat.file_uploads f
  where f.user_id = person and f.message_id is null and not f.is_deleted and f.upload_status <> 'failed'
    -- A server that stopped meanwhile leaves uploads that never end.
    and (f.received_at is not null or f.created_at > now() - interval '15 minutes');
  if unsent.files > most_files or unsent.bytes + more > most_bytes then
    raise exception 'too many files were uploaded but not sent' using errcode = 'AK004',
      hint = 'send them; unsent files are removed after a week';
  end if;
end
$$;

create function akashi_chat.begin_upload(room uuid, original_name text, file_size bigint, mime_type text) returns akashi_chat.file_uploads
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held record;
  upload akashi_chat.file_uploads;
begin
  select * into held from akashi_chat.lock_room(room);
  if (held.mine).id is null then
    raise exception 'only members can send files' using errcode = 'insufficient_privilege', hint = 'join the room first';
  end if;
  perform akashi_chat.refuse_if_inactive(held.target), akashi_chat.refuse_file(held.target);
  perform akashi_chat.refuse_unsent((held.mine).user_id, begin_upload.file_size);
  upload.id := gen_random_uuid();
  insert into akashi_chat.file_uploads (id, user_id, room_id, original_name, file_name, file_size, mime_type, file_path, security_classification)
  values (upload.id, (held.mine).user_id, room, begin_upload.original_name, upload.id::text, begin_upload.file_size,
    begin_upload.mime_type, format('chat/%s/%s/received', room, upload.id), (held.target).security_classification)
  returning * into upload;
  return upload;
end
$$;

create function akashi_chat.give_up_upload(upload uuid) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  update akashi_chat.file_uploads f set upload_status = 'failed', failure_reason = 'incomplete'
  where f.id = upload and f.user_id = akashi_auth.current_user_id() and f.upload_status = 'processing' and f.received_at is null
$$;
comment on function akashi_chat.give_up_upload(uuid) is 'The upload did not complete: it no longer counts towards the limit of its sender.';

create function akashi_chat.receive_upload(upload uuid, file_size bigint, sha256 text) returns akashi_chat.file_uploads
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  received akashi_chat.file_uploads;
begin
  -- Its expected size is already counted.
  perform akashi_chat.refuse_unsent(f.user_id, receive_upload.file_size - f.file_size)
  from akashi_chat.file_uploads f where f.id = upload and f.user_id = akashi_chat.require_user();
  update akashi_chat.file_uploads f set file_size = receive_upload.file_size, sha256 = receive_upload.sha256, received_at = now()
  where f.id = upload and f.user_id = akashi_chat.require_user() and f.upload_status = 'processing' and f.received_at is null
  returning * into received;
  if not found then
    raise exception 'upload not found, or already finished' using errcode = 'no_data_found';
  end if;
  perform pg_notify('akashi_uploads', '');
  return received;
end
$$;
comment on function akashi_chat.receive_upload(uuid, bigint, text) is 'Marks that all bytes are stored. The worker scans them and completes or rejects the file.';

create function akashi_chat.finish_upload(upload uuid, outcome jsonb) returns akashi_chat.file_uploads
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  finished akashi_chat.file_uploads;
begin
  update akashi_chat.file_uploads f set
    upload_status = outcome ->> 'upload_status',
    virus_scanned = coalesce((outcome ->> 'virus_scanned')::boolean, false),
    failure_reason = outcome ->> 'failure_reason',
    file_path = coalesce(outcome ->> 'file_path', f.file_path),
    mime_type = coalesce(outcome ->> 'mime_type', f.mime_type),
    file_size = coalesce((outcome ->> 'file_size')::bigint, f.file_size),
    sha256 = coalesce(outcome ->> 'sha256', f.sha256),
    thumbnail_path = outcome ->> 'thumbnail_path',
    width = (outcome ->> 'width')::integer,
    height = (outcome ->> 'height')::integer
  where f.id = upload and f.upload_status = 'processing' returning * into finished;
  if not found then
    raise exception 'upload not found, or already finished' using errcode = 'no_data_found';
  end if;
  if finished.message_id is not null then
    update akashi_chat.messages m set message_type = case when finished.mime_type like 'image/%' then 'image' else 'file' end
    where m.id = finished.message_id and m.created_at = akashi_chat.message_time(finished.message_id);
    perform akashi_chat.append_event(finished.room_id, 'message_edited', finished.message_id, finished.user_id);
  end if;
  return finished;
end
$$;
comment on function akashi_chat.finish_upload(uuid, jsonb) is
  'outcome: upload_status (completed or failed), virus_scanned, failure_reason, file_path, mime_type, file_size, sha256, thumbnail_path, width, height.';

create function akashi_chat.file_removed(upload uuid) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  update akashi_chat.file_uploads f set removed_at = now() where f.id = upload and f.is_deleted and f.removed_at is null
$$;

-- A security administrator reads a room's messages with a reason, which is recorded in the trail. Only letters and
-- digits count towards its length.
create function akashi_chat.record_review(room uuid, reason text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- A process without a user is authorised by its role.
  if akashi_auth.current_user_id() is not null or akashi_auth.current_session_id() is not null then
    perform akashi_auth.require_permission('messages:admin');
  end if;
  if length(regexp_replace(coalesce(reason, ''), '[^[:alnum:]]', '', 'g')) < 10 then
    raise exception 'a reason with at least 10 letters or digits is required' using errcode = 'invalid_parameter_value';
  end if;
  perform akashi_audit.record_access('akashi_chat.messages', array[room::text], reason, 'confidential');
end
$$;

create function akashi_chat.read_as_security_admin(room uuid, reason text, before timestamptz default 'infinity', page_size integer default 50)
  returns setof akashi_chat.messages language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_chat.record_review(room, reason);
  return query select * from akashi_chat.messages m where m.room_id = room and m.created_at < before
    order by m.created_at desc limit least(greatest(page_size, 1), 200);
end
$$;

create function akashi_chat.read_edits_as_security_admin(message uuid, reason text) returns setof akashi_chat.message_edits
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  room uuid;
begin
  select m.room_id into room from akashi_chat.messages m where m.id = message and m.created_at = akashi_chat.message_time(message);
  if not found then
    raise exception 'message not found' using errcode = 'no_data_found';
  end if;
  perform akashi_chat.record_review(room, reason);
  return query select * from akashi_chat.message_edits e where e.message_id = message order by e.created_at;
end
$$;
comment on function akashi_chat.read_edits_as_security_admin(uuid, text) is
  'Earlier texts of a message, even of a deleted one; the access is recorded in the trail.';

-- Under legal hold neither messages nor their files are removed.
create function akashi_chat.is_held() returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from akashi_lifecycle.retention r where r.schema_name = 'akashi_chat' and r.table_name = 'messages' and r.legal_hold)
$$;

-- Removes expired data in batches; a job repeats it until nothing is left.
create function akashi_chat.purge_expired(batch integer default 1000) returns table (what text, removed bigint)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  deleted_before constant timestamptz :=
    now() - make_interval(days => akashi_lifecycle.setting('deleted_messages.retention_days')::integer);
  failed_before constant timestamptz :=
    now() - make_interval(days => akashi_lifecycle.setting('temporary_data.retention_days')::integer);
  held constant boolean := akashi_chat.is_held();
begin
  what := 'deleted messages';
  with gone as (
    delete from akashi_chat.messages m using (
      select d.id, d.created_at from akashi_chat.messages d
      where d.is_deleted and d.updated_at < deleted_before and not held
        and (d.user_id is null or d.user_id not in (select h.id from akashi_auth.held_users h))
      limit batch) old
    where m.id = old.id and m.created_at = old.created_at returning m.id),
  edits as (delete from akashi_chat.message_edits e using gone where e.message_id = gone.id)
  select count(*) into removed from gone;
  return next;
  what := 'uploads given up';
  with gone as (
    update akashi_chat.file_uploads f set upload_status = 'failed', failure_reason = 'incomplete'
    where f.id in (select u.id from akashi_chat.file_uploads u where u.upload_status = 'processing' and u.received_at is null
                   and u.created_at < now() - interval '1 day' limit batch) returning 1)
  select count(*) into removed from gone;
  return next;
  what := 'failed uploads';
  with gone as (
    update akashi_chat.file_uploads f set is_deleted = true
    where f.id in (select u.id from akashi_chat.file_uploads u where u.upload_status = 'failed' and not u.is_deleted
                   and u.created_at < failed_before limit batch) returning 1)
  select count(*) into removed from gone;
  return next;
  what := 'unsent files';
  with gone as (
    update akashi_chat.file_uploads f set is_deleted = true
    where f.id in (select u.id from akashi_chat.file_uploads u where u.message_id is null and u.upload_status = 'completed'
                   and not u.is_deleted and u.created_at < failed_before limit batch) returning 1)
  select count(*) into removed from gone;
  return next;
  what := 'copies of keys of rooms';
  removed := akashi_chat.drop_unused_keys();
  return next;
  what := 'room events';
  with gone as (
    delete from akashi_chat.room_events e using (
      select o.room_id, o.sequence from akashi_chat.room_events o where o.created_at < now() - interval '7 days' limit batch) old
    where e.room_id = old.room_id and e.sequence = old.sequence returning 1)
  select count(*) into removed from gone;
  return next;
  what := 'notifications';
  with gone as (
    delete from akashi_chat.notifications n where n.id in (
      select o.id from akashi_chat.notifications o where o.created_at < now() - interval '90 days' limit batch) returning 1)
  select count(*) into removed from gone;
  return next;
end
$$;

-- Erases a person's messages in every room, and everything that only they could see. Clients with the room open remove
-- the messages, and every room keeps an owner.
create function akashi_chat.erase_person(person uuid, batch integer default 1000) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  erased bigint;
  member akashi_chat.room_members;
begin
  -- Locks every affected room, in one order, before any of its rows.
  perform from akashi_chat.room_sequences s where s.room_id in (
    select m.room_id from akashi_chat.messages m where m.user_id = person
    union select r.room_id from akashi_chat.message_reactions r where r.user_id = person
    union select p.room_id from akashi_chat.room_members p where p.user_id = person)
  order by s.room_id for update;
  with theirs as (
    select m.id, m.created_at from akashi_chat.messages m where m.user_id = person limit batch),
  blanked as (
    update akashi_chat.messages m set content = '', is_deleted = true, user_id = null, mentioned_user_ids = '{}'
    from theirs where m.id = theirs.id and m.created_at = theirs.created_at returning m.id, m.room_id, m.created_at),
  edits as (delete from akashi_chat.message_edits e using blanked where e.message_id = blanked.id),
  reactions as (delete from akashi_chat.message_reactions r using blanked where r.message_id = blanked.id),
  turns as (
    update akashi_chat.room_sequences s set last_sequence = s.last_sequence + c.events
    from (select b.room_id, count(*) as events from blanked b group by b.room_id) c
    where s.room_id = c.room_id returning s.room_id, s.last_sequence - c.events as before),
  told as (
    insert into akashi_chat.room_events (room_id, sequence, event_type, message_id)
    select b.room_id, t.before + row_number() over (partition by b.room_id order by b.created_at), 'message_deleted', b.id
    from blanked b join turns t on t.room_id = b.room_id)
  select count(*) into erased from blanked;
  if erased < batch then
    update akashi_chat.file_uploads f set is_deleted = true, original_name = 'erased' where f.user_id = person and not f.is_deleted;
    delete from akashi_chat.message_edits e where e.edited_by = person;
    with theirs as (
      delete from akashi_chat.message_reactions r where r.user_id = person returning r.id, r.room_id, r.message_id, r.emoji),
    turns as (
      update akashi_chat.room_sequences s set last_sequence = s.last_sequence + c.events
      from (select r.room_id, count(*) as events from theirs r group by r.room_id) c
      where s.room_id = c.room_id returning s.room_id, s.last_sequence - c.events as before)
    insert into akashi_chat.room_events (room_id, sequence, event_type, message_id, user_id, detail)
    select r.room_id, t.before + row_number() over (partition by r.room_id order by r.id), 'reaction_removed', r.message_id, person,
      jsonb_build_object('emoji', r.emoji)
    from theirs r join turns t on t.room_id = r.room_id;
    delete from akashi_chat.notifications n where n.user_id = person or n.actor_id = person;
    delete from akashi_chat.read_positions p where p.user_id = person;
    delete from akashi_chat.user_preferences p where p.user_id = person;
    update akashi_chat.room_invitations i set status = 'revoked', responded_at = now() where i.invited_user_id = person and i.status = 'pending';
    for member in select * from akashi_chat.room_members m where m.user_id = person and m.is_active order by m.room_id loop
      if member.role = 'owner' then
        perform akashi_chat.hand_over(member);
      end if;
      perform akashi_chat.end_membership(member);
    end loop;
  end if;
  return erased;
end
$$;
comment on function akashi_chat.erase_person(uuid, integer) is 'Returns the number of messages erased in this batch; repeat until it is less than the batch size.';

-- Passes the room of an erased owner to an admin, otherwise to the longest-standing member.
create function akashi_chat.hand_over(owner akashi_chat.room_members) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  heir akashi_chat.room_members;
begin
  if exists (select from akashi_chat.room_members m
             where m.room_id = owner.room_id and m.is_active and m.role = 'owner' and m.id <> owner.id) then
    return;
  end if;
  select * into heir from akashi_chat.room_members m
  where m.room_id = owner.room_id and m.is_active and m.id <> owner.id
  order by m.role <> 'admin', m.joined_at, m.id limit 1;
  if found then
    update akashi_chat.room_members m set role = 'owner' where m.id = heir.id;
    perform akashi_chat.append_event(owner.room_id, 'member_changed', null, heir.user_id, jsonb_build_object('role', 'owner'));
  end if;
end
$$;

-- Also for people who came back with rows from before their erasure.
create function akashi_chat.erase_with_person() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  while akashi_chat.erase_person(new.user_id, 5000) = 5000 loop
    null;
  end loop;
  return null;
end
$$;
create trigger erase_chat after insert or update of columns on akashi_keys.erasures for each row
  when (new.completed_at is null) execute function akashi_chat.erase_with_person();

-- Small pictures of people, re-encoded before they come here. They are in the database rather than the object store, so
-- that an erasure deletes them together with the account.
create table akashi_chat.avatars (
  user_id    uuid primary key references akashi_auth.users (id) on delete cascade,
  id         uuid not null unique default gen_random_uuid(),
  content    bytea not null check (octet_length(content) between 1 and 131072),
  created_at timestamptz not null default now()
);
comment on table akashi_chat.avatars is 'The picture of each person who has one: WebP, square. Every picture has a new id, so that caches never show an earlier one.';
alter table akashi_chat.avatars enable row level security, force row level security;
create policy avatars_owner on akashi_chat.avatars to akashi_owner using (true) with check (true);
create policy avatars_shown on akashi_chat.avatars for select to akashi_app
  using ((select akashi_auth.current_user_id()) is not null);
grant select on akashi_chat.avatars to akashi_app;
select akashi_audit.protect('akashi_chat.avatars', 'internal', 'user_id', '{"content": "omit"}');

-- Null removes the picture. Returns the address that is shown for the person, if any.
create function akashi_chat.set_avatar(content bytea) returns text
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  person constant uuid := akashi_auth.current_user_id();
  address text;
begin
  if person is null then
    raise exception 'only people have pictures' using errcode = 'insufficient_privilege';
  end if;
  delete from akashi_chat.avatars a where a.user_id = person;
  if content is not null then
    insert into akashi_chat.avatars as a (user_id, content) values (person, set_avatar.content)
    returning '/v1/chat/avatars/' || a.id into address;
  end if;
  perform akashi_auth.change_user(person, jsonb_build_object('avatar_url', address), null, null, null);
  return address;
end
$$;
comment on function akashi_chat.set_avatar(bytea) is 'Replaces or, with null, removes the picture of the caller.';
grant execute on function akashi_chat.set_avatar(bytea) to akashi_app;

-- A message keeps its place without its text, which none of the generic actions does.
insert into akashi_keys.personal_columns (schema_name, table_name, column_name, person_column, form, at_erasure, until) values
  ('akashi_chat', 'messages',          'content',          'user_id',   'plain', 'replaced', null),
  ('akashi_chat', 'message_edits',     'previous_content', 'edited_by', 'plain', 'replaced', null),
  ('akashi_chat', 'message_reactions', 'emoji',            'user_id',   'plain', 'replaced', null),
  ('akashi_chat', 'room_keys',         'wrapped',          'user_id',   'encrypted', 'deleted', null),
  ('akashi_chat', 'file_uploads',      'original_name',    'user_id',   'plain', 'replaced', null),
  ('akashi_chat', 'avatars',           'content',          'user_id',   'plain', 'deleted', null);

grant execute on function
  akashi_chat.post_message(uuid, text, text, uuid, uuid, uuid[], uuid), akashi_chat.edit_message(uuid, text, uuid[]), akashi_chat.delete_message(uuid),
  akashi_chat.add_reaction(uuid, text), akashi_chat.remove_reaction(uuid, text), akashi_chat.mark_read(uuid), akashi_chat.begin_upload(uuid, text, bigint, text), akashi_chat.give_up_upload(uuid),
  akashi_chat.receive_upload(uuid, bigint, text), akashi_chat.message_time(uuid), akashi_chat.classify_message(uuid, text),
  akashi_chat.classify_file(uuid, text)
  to akashi_app;
grant execute on function akashi_chat.is_held(), akashi_chat.finish_upload(uuid, jsonb), akashi_chat.file_removed(uuid), akashi_chat.purge_expired(integer), akashi_chat.erase_person(uuid, integer), akashi_chat.message_time(uuid)
  to akashi_worker;
grant execute on function akashi_chat.read_as_security_admin(uuid, text, timestamptz, integer),
  akashi_chat.read_edits_as_security_admin(uuid, text), akashi_chat.message_time(uuid) to akashi_security_admin;

insert into akashi_lifecycle.settings (key, value, pattern, accepts, description) values
  ('deleted_messages.retention_days', '365', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'how long a deleted message is kept before it is removed permanently');
insert into akashi_lifecycle.jobs (name, schedule, task, timeout, description) values
  ('chat-purge', '10 4 * * *', 'chat.purge', '2 hours',
   'remove messages deleted long ago, old notifications and room events, and the bytes of deleted files');
