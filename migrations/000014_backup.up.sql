-- What backups need from the cluster and the job schedule. The attribute belongs to the role, and so to every database
-- of the cluster. Where it cannot be granted (managed PostgreSQL), the provider's backups are used instead.
do $replication$
begin
  if not (select rolreplication from pg_catalog.pg_roles where rolname = 'akashi_backup') then
    alter role akashi_backup replication;
  end if;
  grant execute on function pg_catalog.pg_create_restore_point(text) to akashi_backup;
exception
  when insufficient_privilege then
    raise notice 'akashi_backup has no replication privilege: use the physical backups of the provider';
end
$replication$;
set local role akashi_owner;

-- Restore drills and their results.
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
comment on column akashi_lifecycle.drills.rto_seconds is 'From the start of the restore until the server accepted queries.';
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

-- Restores of one table, requested over HTTP. The process that received the request carries it out and reports its
-- progress.
create table akashi_lifecycle.restores (
  id           uuid primary key default akashi_audit.uuid_v7(),
  table_name   text not null,
  target       text not null,
  into_table   text,
  diff         boolean not null,
  apply_reason text,
  requested_by text not null,
  process      text not null,
  started_at   timestamptz not null default clock_timestamp(),
  seen_at      timestamptz not null default clock_timestamp(),
  finished_at  timestamptz,
  cancelled_by text,
  state        text not null default 'running' check (state in ('running', 'done', 'failed', 'cancelled')),
  phase        text not null default 'waiting',
  message      text,
  result       jsonb,
  check ((finished_at is null) = (state = 'running'))
);
create index restores_started_idx on akashi_lifecycle.restores (started_at desc, id desc);
comment on table akashi_lifecycle.restores is 'Every restore of one table that was requested over HTTP, kept for 400 days.';
comment on column akashi_lifecycle.restores.process is 'The process that carries it out.';
comment on column akashi_lifecycle.restores.seen_at is 'When that process last reported: one that has not reported for a minute has died.';
comment on column akashi_lifecycle.restores.cancelled_by is 'Who requested its cancellation.';
alter table akashi_lifecycle.restores enable row level security, force row level security;
create policy restores_read on akashi_lifecycle.restores for select to akashi_worker, akashi_security_admin using (true);
create policy restores_owner on akashi_lifecycle.restores to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.restores to akashi_worker, akashi_security_admin;
select akashi_audit.protect('akashi_lifecycle.restores', ignore => array['phase', 'seen_at']);

create function akashi_lifecycle.begin_restore(table_name text, target text, into_table text, diff boolean, apply_reason text, process text)
  returns uuid
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into akashi_lifecycle.restores (table_name, target, into_table, diff, apply_reason, process, requested_by)
  values (begin_restore.table_name, begin_restore.target, begin_restore.into_table, begin_restore.diff, begin_restore.apply_reason,
          begin_restore.process, coalesce(akashi_auth.current_user_id()::text, session_user))
  returning id
$$;

-- Reports the progress of a restore; returns whether somebody requested its cancellation.
create function akashi_lifecycle.continue_restore(id uuid, phase text) returns boolean
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  update akashi_lifecycle.restores r set phase = coalesce(continue_restore.phase, r.phase), seen_at = clock_timestamp()
  where r.id = continue_restore.id and r.state = 'running'
  returning r.cancelled_by is not null
$$;

create function akashi_lifecycle.finish_restore(id uuid, state text, message text, result jsonb) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  update akashi_lifecycle.restores r set state = finish_restore.state, message = finish_restore.message, result = finish_restore.result,
    phase = 'ended', finished_at = clock_timestamp(), seen_at = clock_timestamp()
  where r.id = finish_restore.id and r.state = 'running'
$$;

create function akashi_lifecycle.cancel_restore(id uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_lifecycle.restores r set cancelled_by = coalesce(akashi_auth.current_user_id()::text, session_user)
  where r.id = cancel_restore.id and r.state = 'running';
  if not found then
    raise exception 'no restore % is running', id using errcode = 'undefined_object', hint = 'list them with GET /v1/restores';
  end if;
end
$$;

-- A process that died does not report.
create function akashi_lifecycle.close_dead_restores() returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  update akashi_lifecycle.restores set state = 'failed', message = 'the process that carried it out died', phase = 'ended',
    finished_at = clock_timestamp()
  where state = 'running' and seen_at < clock_timestamp() - interval '1 minute'
$$;

create function akashi_lifecycle.prune_restores(keep interval default '400 days') returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  removed integer;
begin
  if keep < interval '1 day' then
    raise exception 'history must be kept for at least one day' using errcode = 'invalid_parameter_value';
  end if;
  delete from akashi_lifecycle.restores where finished_at < now() - keep;
  get diagnostics removed = row_count;
  return removed;
end
$$;
grant execute on function akashi_lifecycle.begin_restore(text, text, text, boolean, text, text), akashi_lifecycle.cancel_restore(uuid),
  akashi_lifecycle.close_dead_restores() to akashi_security_admin;
grant execute on function akashi_lifecycle.continue_restore(uuid, text), akashi_lifecycle.finish_restore(uuid, text, text, jsonb)
  to akashi_worker, akashi_security_admin;
grant execute on function akashi_lifecycle.prune_restores(interval) to akashi_worker;

-- Named restore points. A restore searches the WAL for the name; the row makes it listable.
create table akashi_lifecycle.restore_points (
  id         uuid primary key default gen_random_uuid(),
  name       text not null check (octet_length(name) between 1 and 63),
  lsn        pg_lsn not null,
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null default coalesce(akashi_auth.current_user_id()::text, session_user)
);
create index restore_points_created_idx on akashi_lifecycle.restore_points (created_at desc);
comment on table akashi_lifecycle.restore_points is 'Restore points that were created; they are removed with the backups.';
alter table akashi_lifecycle.restore_points enable row level security, force row level security;
create policy restore_points_read on akashi_lifecycle.restore_points for select to akashi_worker, akashi_security_admin, akashi_reader using (true);
create policy restore_points_add on akashi_lifecycle.restore_points for insert to akashi_worker, akashi_security_admin with check (true);
create policy restore_points_owner on akashi_lifecycle.restore_points to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.restore_points to akashi_worker, akashi_security_admin, akashi_reader;
grant insert (name, lsn) on akashi_lifecycle.restore_points to akashi_worker, akashi_security_admin;
select akashi_audit.protect('akashi_lifecycle.restore_points');

-- Identifies the installation and the record by which it owns its object store. A copy of the database contains the
-- row, but is recognised by its cluster, timeline or database.
create table akashi_lifecycle.store_ownership (
  one_row           boolean primary key default true check (one_row),
  installation      uuid not null,
  token             bigint check (token > 0),
  system_identifier bigint not null,
  timeline          integer not null,
  database_oid      oid not null,
  updated_at        timestamptz not null default clock_timestamp()
);
comment on table akashi_lifecycle.store_ownership is 'The identity of this installation, and whether it owns its object store.';
comment on column akashi_lifecycle.store_ownership.token is 'Token of its record in the object store; null if another installation owns the store.';
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
  'The installation, and whether this database is a copy of the original; timeline is null on a standby.';
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
  'Stores who owns the object store; with a null token it is another installation.';
grant execute on function akashi_lifecycle.set_store_ownership(uuid, bigint) to akashi_worker;

insert into akashi_lifecycle.settings (key, value, pattern, accepts, description) values
  ('backup.retention_days', '30', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'how far back any moment can be restored'),
  ('backup.incremental_hours', '24', '[1-9]\d{0,5}', 'a whole number of hours, 1 or more',
   'how long incremental backups are kept where full backups and WAL lead to the same moments'),
  ('backup.hold', 'false', 'true|false', 'true or false',
   'while true, no backup and no WAL is removed'),
  ('backup.wal_limit_mb', '8192', '[1-9]\d{0,8}', 'a whole number of megabytes, 1 or more',
   'how much WAL may wait for the object store, or for the cross-check; beyond it the WAL is given up, with a gap and an alarm'),
  ('backup.max_age_hours', '26', '[1-9]\d{0,5}', 'a whole number of hours, 1 or more',
   'an alarm is raised when the newest backup is older'),
  ('backup.max_lag_minutes', '30', '[1-9]\d{0,5}', 'a whole number of minutes, 1 or more',
   'an alarm is raised when the latest moment that can be restored is older'),
  ('disk.max_used_percent', '75', '[1-9]\d?', 'a whole number from 1 to 99',
   'an alarm is raised when more of the disk of the embedded server is used'),
  ('backup.recipients', '[]', '\[("age1[0-9a-z]{58,}"(, (?="))?)*\]', 'public keys of age, which begin with age1',
   'keys that can decrypt backups besides the keyring''s own'),
  ('backup.drill_rpo_limit_seconds', '3600', '\d{1,6}', 'a whole number of seconds',
   'a drill fails when more than this could have been lost'),
  ('backup.drill_rto_limit_seconds', '14400', '\d{1,6}', 'a whole number of seconds',
   'a drill fails when the restore takes longer'),
  ('backup.drill_max_age_days', '35', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'an alarm is raised when no drill passed for longer'),
  ('backup.recovery_test_max_age_days', '200', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'an alarm is raised when no full recovery test passed for longer'),
  ('backup.audit_near_days', '90', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'how long a weekly copy of the audit log is kept on the warm tier'),
  ('backup.audit_cold_days', '1095', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'how long a weekly copy of the audit log is kept on the cold tier');

insert into akashi_lifecycle.jobs (name, schedule, task, timeout, description) values
  ('backup-full',          '0 5 * * *',     'backup.full',          '12 hours',  'take a full backup'),
  ('backup-incremental',   '30 * * * *',    'backup.incremental',   '1 hour',    'back up what changed since the previous backup (PostgreSQL 17 and newer)'),
  ('backup-prune',         '20 4 * * *',    'backup.prune',         '1 hour',    'delete backups and WAL past their retention'),
  ('backup-drill',         '0 8 1 * *',     'backup.drill',         '12 hours',  'restore to a random moment on a temporary server, and compare'),
  ('backup-watch',         '*/10 * * * *',  'backup.watch',         '5 minutes', 'check the store for the newest backup and the latest moment that can be restored'),
  ('backup-audit-copy',    '0 6 * * 0',     'backup.audit_copy',    '6 hours',   'copy the audit rows sealed since the last copy, and prune old copies'),
  ('check-structure',      '0 20 3 * *',    'database.check_structure', '12 hours', 'check tables and indexes for damage, and foreign keys for rows without a referenced row'),
  ('backup-recovery-test', '0 10 15 1,7 *', 'backup.recovery_test', '24 hours',  'restore the whole cluster to the latest moment on a temporary server');

-- Backup jobs that run only on request, without a schedule.
insert into akashi_lifecycle.jobs (name, schedule, task, paused, timeout, description) values
  ('backup-verify', '0 14 22 * *', 'backup.verify', true, '24 hours', 'read and check every backup object; on request, because each drill does it too'),
  ('backup-rewrap', '0 14 22 * *', 'backup.rewrap', true, '1 hour',   're-encrypt the data keys of the backups for the current recipients; on request');

-- Figures of the compliance report: counts of the time from since to until, and the state as of now.
create function akashi_lifecycle.backup_evidence(since timestamptz, until timestamptz,
  out full_backups bigint, out incremental_backups bigint, out failed_runs bigint, out hours_since_backup numeric, out max_age_hours numeric,
  out seconds_to_restorable numeric, out rpo_limit_seconds numeric, out audit_copies bigint)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select count(*) filter (where r.job = 'backup-full' and r.state = 'done'), count(*) filter (where r.job = 'backup-incremental' and r.state = 'done'),
         count(*) filter (where r.state = 'failed'),
         (select round(extract(epoch from now() - max(l.finished_at)) / 3600, 1) from akashi_lifecycle.job_runs l
          where l.job in ('backup-full', 'backup-incremental') and l.state = 'done' and not coalesce(l.result ? 'skipped', false)),
         (akashi_lifecycle.setting('backup.max_age_hours') #>> '{}')::numeric,
         (select round(extract(epoch from l.started_at - (l.result ->> 'restorableTo')::timestamptz)) from akashi_lifecycle.job_runs l
          where l.job = 'backup-watch' and l.state = 'done' and l.result ? 'restorableTo' order by l.started_at desc limit 1),
         (akashi_lifecycle.setting('backup.drill_rpo_limit_seconds') #>> '{}')::numeric,
         count(*) filter (where r.job = 'backup-audit-copy' and r.state = 'done')
  from akashi_lifecycle.job_runs r
  where r.job in ('backup-full', 'backup-incremental', 'backup-audit-copy') and r.started_at >= since and r.started_at < until
    and not coalesce(r.result ? 'skipped', false)
$$;
grant execute on function akashi_lifecycle.backup_evidence(timestamptz, timestamptz) to akashi_security_admin;

create function akashi_lifecycle.drill_evidence(since timestamptz, until timestamptz,
  out drills bigint, out passed bigint, out failed bigint, out worst_rpo_seconds numeric, out rpo_limit_seconds numeric, out worst_rto_seconds numeric, out rto_limit_seconds numeric, out days_since_passed numeric, out max_age_days numeric, out days_since_recovery_test numeric)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select count(*), count(*) filter (where d.ok), count(*) filter (where not d.ok),
         round(max(d.rpo_seconds)::numeric, 1), (akashi_lifecycle.setting('backup.drill_rpo_limit_seconds') #>> '{}')::numeric,
         round(max(d.rto_seconds)::numeric, 1), (akashi_lifecycle.setting('backup.drill_rto_limit_seconds') #>> '{}')::numeric,
         (select round(extract(epoch from now() - max(l.finished_at)) / 86400, 1) from akashi_lifecycle.drills l where l.ok),
         (akashi_lifecycle.setting('backup.drill_max_age_days') #>> '{}')::numeric,
         (select round(extract(epoch from now() - max(l.finished_at)) / 86400, 1) from akashi_lifecycle.drills l where l.ok and l.kind = 'recovery_test')
  from akashi_lifecycle.drills d where d.started_at >= since and d.started_at < until
$$;
grant execute on function akashi_lifecycle.drill_evidence(timestamptz, timestamptz) to akashi_security_admin;

create function akashi_lifecycle.recent_drills(until timestamptz) returns table (day text, rpo_seconds double precision, rto_seconds double precision, ok boolean)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select to_char(d.started_at, 'YYYY-MM-DD'), d.rpo_seconds, d.rto_seconds, d.ok
  from (select * from akashi_lifecycle.drills l where l.started_at < until order by l.started_at desc limit 12) d order by d.started_at
$$;
grant execute on function akashi_lifecycle.recent_drills(timestamptz) to akashi_security_admin;
