-- Delivery of security events and audit rows to other systems. The sealed logs are the outbox: they hold every committed
-- row in one order, and a channel stores its position in them. Recording an event writes nothing for channels.
set local role akashi_owner;

create table akashi_security.delivery_channels (
  id               uuid primary key default gen_random_uuid(),
  name             varchar(100) not null unique check (name ~ '^[a-z0-9][a-z0-9_.-]*$'),
  kind             varchar(20) not null check (kind in ('webhook', 'slack', 'teams', 'email', 'syslog', 'security_hub', 'stream', 'objects')),
  log              varchar(20) not null check (log in ('security_events', 'audit_logs')),
  format           varchar(20) not null default 'akashi' check (format in ('akashi', 'ocsf')),
  min_severity     varchar(20) not null default 'info' check (min_severity in ('info', 'low', 'medium', 'high', 'critical')),
  types            text[] not null default '{}' check (cardinality(types) <= 100),
  destination      text not null check (length(destination) <= 2048),
  secret           bytea check (octet_length(secret) <= 8192),
  secret_key_id    text,
  per_minute       integer not null default 600 check (per_minute between 1 and 100000),
  state            varchar(10) not null default 'active' check (state in ('active', 'paused')),
  created_at       timestamptz not null default clock_timestamp(),
  updated_at       timestamptz not null default clock_timestamp(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text,
  check ((secret is null) = (secret_key_id is null)),
  check (log = 'security_events' or kind in ('webhook', 'syslog', 'stream', 'objects')),
  check (format = 'akashi' or log = 'security_events')
);
comment on table akashi_security.delivery_channels is 'Destinations to which security events or audit rows are sent.';
comment on column akashi_security.delivery_channels.types is 'Event types, or tables and event types of audit rows; empty for all.';
comment on column akashi_security.delivery_channels.secret is 'Encrypted under a key of the keyring. No role can decrypt it in SQL, and no interface returns it.';
comment on column akashi_security.delivery_channels.per_minute is 'Maximum number of messages per minute.';
create trigger update_updated_at before update on akashi_security.delivery_channels
  for each row execute function akashi_auth.update_updated_at();

create table akashi_security.delivery_progress (
  channel_id        uuid primary key references akashi_security.delivery_channels (id) on delete cascade,
  position          bigint not null check (position >= 0),
  failures          integer not null default 0 check (failures >= 0),
  failing_since     timestamptz,
  next_attempt_at   timestamptz not null default clock_timestamp(),
  last_error        text check (length(last_error) <= 1000),
  last_delivered_at timestamptz,
  synced_position   bigint not null default 0 check (synced_position >= 0)
);
comment on table akashi_security.delivery_progress is 'The position of each channel in its log.';
comment on column akashi_security.delivery_progress.position is 'The first position that has not been delivered.';
comment on column akashi_security.delivery_progress.synced_position is
  'Changes of remediations were sent up to this position of the trail, if the destination accepts them.';

create table akashi_security.delivery_dead_letters (
  channel_id  uuid not null references akashi_security.delivery_channels (id) on delete cascade,
  position    bigint not null check (position >= 0),
  row_id      uuid not null,
  error       text not null check (length(error) <= 1000),
  created_at  timestamptz not null default clock_timestamp(),
  replay      boolean not null default false,
  replayed_at timestamptz,
  primary key (channel_id, position)
);
comment on table akashi_security.delivery_dead_letters is 'Dead letters: rows that a destination refused, or could not accept for three days.';
comment on column akashi_security.delivery_dead_letters.replay is 'Requests another delivery.';
create index delivery_dead_letters_open_idx on akashi_security.delivery_dead_letters (channel_id, position) where replayed_at is null;

alter table akashi_security.delivery_channels enable row level security, force row level security;
alter table akashi_security.delivery_progress enable row level security, force row level security;
alter table akashi_security.delivery_dead_letters enable row level security, force row level security;
create policy delivery_channels_staff on akashi_security.delivery_channels to akashi_worker, akashi_security_admin using (true) with check (true);
create policy delivery_channels_owner on akashi_security.delivery_channels to akashi_owner using (true) with check (true);
create policy delivery_progress_staff on akashi_security.delivery_progress to akashi_worker, akashi_security_admin using (true) with check (true);
create policy delivery_progress_owner on akashi_security.delivery_progress to akashi_owner using (true) with check (true);
create policy delivery_dead_letters_staff on akashi_security.delivery_dead_letters to akashi_worker, akashi_security_admin using (true) with check (true);
create policy delivery_dead_letters_owner on akashi_security.delivery_dead_letters to akashi_owner using (true) with check (true);
grant select on akashi_security.delivery_channels, akashi_security.delivery_progress, akashi_security.delivery_dead_letters
  to akashi_worker, akashi_security_admin;
grant insert (name, kind, log, format, min_severity, types, destination, secret, secret_key_id, per_minute),
      update (min_severity, types, destination, secret, secret_key_id, per_minute, state), delete
  on akashi_security.delivery_channels to akashi_security_admin;
grant insert on akashi_security.delivery_progress to akashi_security_admin;
grant update on akashi_security.delivery_progress to akashi_worker;
grant insert, update on akashi_security.delivery_dead_letters to akashi_worker;
grant update (replay) on akashi_security.delivery_dead_letters to akashi_security_admin;
select akashi_audit.protect('akashi_security.delivery_channels', 'confidential', null, '{}', array['updated_at', 'last_modified_by']);
select akashi_audit.exempt('akashi_security.delivery_progress', 'changes with every delivery; what was delivered is in security_event_hook_results'),
       akashi_audit.exempt('akashi_security.delivery_dead_letters', 'names rows of the logs, which are sealed; attempts are in security_event_hook_results');

insert into akashi_lifecycle.settings (key, value, pattern, accepts, description) values
  ('delivery.allowed_networks', '[]', '\[("[0-9a-f:.]{2,45}(/\d{1,3})?"(, (?="))?)*\]', 'networks such as 127.0.0.0/8',
   'loopback and link-local networks to which channels may send although they are blocked by default');
