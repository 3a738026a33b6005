-- What backups need of the cluster and of the timetable. The attribute belongs to the role, and so to every
-- database of the cluster; who may not give it (managed PostgreSQL) has the provider's backups instead.
do $replication$
begin
  if not (select rolreplication from pg_catalog.pg_roles where rolname = 'akashi_backup') then
    alter role akashi_backup replication;
  end if;
  grant execute on function pg_catalog.pg_create_restore_point(text) to akashi_backup;
exception
  when insufficient_privilege then
    raise notice 'akashi_backup may not replicate: physical backups are the provider''s here';
end
$replication$;
set local role akashi_owner;

-- Restores that are practised: what each found, for as long as anybody may ask for it.
create table akashi_lifecycle.drills (
  id          uuid primary key default akashi_audit.uuid_v7(),
  system_id   text not null,
  started_at  timestamptz not null,
  finished_at timestamptz not null check (finished_at >= started_at),
  ok          boolean not null,
  target      text,
  rpo_seconds double precision check (rpo_seconds >= 0),
  rto_seconds double precision check (rto_seconds >= 0),
  phases      jsonb not null check (jsonb_typeof(phases) = 'array'),
  problems    text[] not null check (ok = (cardinality(problems) = 0)),
  object      text not null,
  note        text not null,
  created_at  timestamptz not null default clock_timestamp(),
  kind        text not null default 'drill' check (kind in ('drill', 'recovery_test'))
);
create index drills_started_at_idx on akashi_lifecycle.drills (started_at desc);
comment on table akashi_lifecycle.drills is 'One row per recovery drill, with its signed report.';
comment on column akashi_lifecycle.drills.rpo_seconds is 'Age of the latest moment that could be restored when the drill began.';
comment on column akashi_lifecycle.drills.rto_seconds is 'From the start of the restore until the server took queries.';
comment on column akashi_lifecycle.drills.object is 'Key of the signed report in the object store.';
comment on column akashi_lifecycle.drills.note is 'The same report: a signed note.';
comment on column akashi_lifecycle.drills.kind is 'drill: to a random moment; recovery_test: the whole cluster to the latest one.';

alter table akashi_lifecycle.drills enable row level security, force row level security;
create policy drills_worker on akashi_lifecycle.drills for insert to akashi_worker with check (true);
create policy drills_read on akashi_lifecycle.drills for select to akashi_worker, akashi_security_admin, akashi_reader using (true);
create policy drills_owner on akashi_lifecycle.drills to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.drills to akashi_worker, akashi_security_admin, akashi_reader;
grant insert (id, system_id, started_at, finished_at, ok, target, rpo_seconds, rto_seconds, phases, problems, object, note, kind)
  on akashi_lifecycle.drills to akashi_worker;
select akashi_audit.exempt('akashi_lifecycle.drills', 'reports that only the worker adds; each is signed and kept in the object store too');

-- Which installation this database is, and by which record it owns its object store. A copy of the database carries
-- the row along and is recognised by where it stands: another cluster, timeline or database.
create table akashi_lifecycle.store_ownership (
  one_row           boolean primary key default true check (one_row),
  installation      uuid not null,
  token             bigint check (token > 0),
  system_identifier bigint not null,
  timeline          integer not null,
  database_oid      oid not null,
  updated_at        timestamptz not null default clock_timestamp()
);
comment on table akashi_lifecycle.store_ownership is 'The installation that this database is, and whether it owns its object store.';
comment on column akashi_lifecycle.store_ownership.token is 'Of its record in the object store; null when another installation owns the store.';
alter table akashi_lifecycle.store_ownership enable row level security, force row level security;
create policy store_ownership_owner on akashi_lifecycle.store_ownership to akashi_owner using (true) with check (true);
select akashi_audit.exempt('akashi_lifecycle.store_ownership', 'each change of owner is a security event');

create function akashi_lifecycle.installation(
  out installation uuid, out token bigint, out cluster text, out timeline text, out database text, out copied boolean)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select o.installation, o.token, i.system_identifier::text, i.timeline::text, d.oid::text,
         coalesce((o.system_identifier, o.timeline, o.database_oid) is distinct from (i.system_identifier, i.timeline, d.oid)
                  and o.installation is not null, false)
  from akashi_audit.system_identity() i
  join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
  left join akashi_lifecycle.store_ownership o on true
$$;
comment on function akashi_lifecycle.installation() is
  'The installation, and whether this database is a copy of the one that it was; timeline is null on a standby.';
grant execute on function akashi_lifecycle.installation() to akashi_worker, akashi_security_admin, akashi_reader, akashi_app;

create function akashi_lifecycle.set_store_ownership(installation uuid, token bigint) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into akashi_lifecycle.store_ownership as o (installation, token, system_identifier, timeline, database_oid)
  select set_store_ownership.installation, set_store_ownership.token, i.system_identifier, i.timeline, d.oid
  from akashi_audit.system_identity() i
  join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
  on conflict (one_row) do update set (installation, token, system_identifier, timeline, database_oid, updated_at) =
    (excluded.installation, excluded.token, excluded.system_identifier, excluded.timeline, excluded.database_oid,
     clock_timestamp())
$$;
comment on function akashi_lifecycle.set_store_ownership(uuid, bigint) is
  'Keeps what the object store says of its owner; a null token: it is another installation.';
grant execute on function akashi_lifecycle.set_store_ownership(uuid, bigint) to akashi_worker;

insert into akashi_lifecycle.settings (key, value, pattern, accepts, description) values
  ('backup.retention_days', '30', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'how far back any moment can be restored'),
  ('backup.hold', 'false', 'true|false', 'true or false',
   'while true, no backup and no WAL is removed'),
  ('backup.wal_limit_mb', '8192', '[1-9]\d{0,8}', 'a whole number of megabytes, 1 or more',
   'how much WAL may wait for the object store; beyond it the WAL is given up, with a gap and an alarm'),
  ('backup.recipients', '[]', '\[("age1[0-9a-z]{58,}"(, (?="))?)*\]', 'public keys of age, which begin with age1',
   'keys that can decrypt backups besides the keyring''s own'),
  ('backup.drill_rpo_limit_seconds', '3600', '\d{1,6}', 'a whole number of seconds',
   'a drill fails when more than this could have been lost'),
  ('backup.drill_rto_limit_seconds', '14400', '\d{1,6}', 'a whole number of seconds',
   'a drill fails when the restore takes longer'),
  ('backup.drill_max_age_days', '35', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'an alarm is raised when no drill passed for longer'),
  ('backup.recovery_test_max_age_days', '200', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'an alarm is raised when no test of a whole recovery passed for longer'),
  ('backup.audit_near_days', '90', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'how long a weekly copy of the audit log is kept at hand'),
  ('backup.audit_cold_days', '1095', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'how long a weekly copy of the audit log is kept on the cold tier');

insert into akashi_lifecycle.jobs (name, schedule, task, timeout, description) values
  ('backup-full',          '0 5 * * *',     'backup.full',          '12 hours',  'take a full backup'),
  ('backup-incremental',   '30 * * * *',    'backup.incremental',   '1 hour',    'take what changed since the backup before (PostgreSQL 17 and newer)'),
  ('backup-prune',         '20 4 * * *',    'backup.prune',         '1 hour',    'remove backups and WAL that the retention no longer needs'),
  ('backup-drill',         '0 8 1 * *',     'backup.drill',         '12 hours',  'restore to a random moment on a server that is thrown away, and compare'),
  ('backup-drill-watch',   '50 4 * * *',    'backup.drill_watch',   '5 minutes', 'raise an alarm when no drill passed for too long'),
  ('backup-audit-copy',    '0 6 * * 0',     'backup.audit_copy',    '6 hours',   'copy what was sealed since the last copy of the audit log, and prune old copies'),
  ('backup-recovery-test', '0 10 15 1,7 *', 'backup.recovery_test', '24 hours',  'restore the whole cluster to the latest moment on a server that is thrown away');

-- What is done with backups only when somebody asks: jobs without a turn of their own in the timetable.
insert into akashi_lifecycle.jobs (name, schedule, task, paused, timeout, description) values
  ('backup-verify', '0 14 22 * *', 'backup.verify', true, '24 hours', 'read and check every object of the backups; on request, as each drill does it too'),
  ('backup-rewrap', '0 14 22 * *', 'backup.rewrap', true, '1 hour',   'wrap the data keys of the backups for the present recipients; on request');
