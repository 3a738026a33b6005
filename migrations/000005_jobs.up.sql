-- The timetable as rows, and the history of runs. graphile-worker keeps its queue in its own schema, which it migrates
-- itself as akashi_worker.
create schema akashi_jobs authorization akashi_worker;
comment on schema akashi_jobs is 'The job queue, managed by graphile-worker.';

set local role akashi_worker;
-- With this table graphile-worker does not create its schema, which would need a right on the whole database.
create table akashi_jobs.migrations (
  id       integer primary key,
  ts       timestamptz not null default now(),
  breaking boolean not null default false
);
comment on table akashi_jobs.migrations is 'Migrations of graphile-worker, which writes it.';
reset role;

set local role akashi_owner;

create table akashi_lifecycle.jobs (
  name             text primary key check (name ~ '^[a-z][a-z0-9-]{0,99}$'),
  schedule         text not null check (schedule ~ '^[0-9*/,-]+( [0-9*/,-]+){4}$'),
  task             text not null check (task ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$'),
  description      text not null,
  paused           boolean not null default false,
  zone             text not null default 'UTC' check (zone in ('UTC', 'organisation')),
  working_day      boolean not null default false,
  timeout          interval not null default '1 hour' check (timeout >= interval '1 second'),
  requested_at     timestamptz,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text
);
comment on table akashi_lifecycle.jobs is 'Scheduled jobs: what runs when.';
comment on column akashi_lifecycle.jobs.schedule is 'Five fields of cron (minute, hour, day of month, month, day of week) in the time zone.';
comment on column akashi_lifecycle.jobs.zone is 'Whose clock the schedule follows: UTC, or organisation.time_zone.';
comment on column akashi_lifecycle.jobs.working_day is
  'A run that falls on a weekend or a day of organisation.holidays takes place on the next working day.';
comment on column akashi_lifecycle.jobs.task is 'Name of the code that runs; several jobs may share one.';
comment on column akashi_lifecycle.jobs.timeout is 'A run is cancelled after this long.';
comment on column akashi_lifecycle.jobs.requested_at is 'When an immediate run was last requested; any run started since fulfils it.';
alter table akashi_lifecycle.jobs enable row level security, force row level security;
create policy jobs_read on akashi_lifecycle.jobs for select to akashi_worker, akashi_security_admin, akashi_reader using (true);
create policy jobs_owner on akashi_lifecycle.jobs to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.jobs to akashi_worker, akashi_security_admin, akashi_reader;
create trigger update_updated_at before update on akashi_lifecycle.jobs
  for each row execute function akashi_auth.update_updated_at();

-- Workers listen, so changes and requests take effect at once.
create function akashi_lifecycle.announce_jobs() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  perform pg_notify('akashi_jobs', '');
  return null;
end
$$;
create trigger announce_jobs after insert or update or delete on akashi_lifecycle.jobs
  for each statement execute function akashi_lifecycle.announce_jobs();

select akashi_audit.protect('akashi_lifecycle.jobs');

create table akashi_lifecycle.job_runs (
  id          uuid primary key default akashi_audit.uuid_v7(),
  job         text not null,
  due_at      timestamptz not null,
  started_at  timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  state       text not null default 'running' check (state in ('running', 'done', 'failed', 'cancelled')),
  worker      text not null,
  message     text,
  result      jsonb,
  cut_short   boolean not null default false,
  progress    jsonb check (jsonb_typeof(progress) = 'object'),
  check ((finished_at is null) = (state = 'running'))
);
comment on table akashi_lifecycle.job_runs is 'Every run of a job, kept for 90 days, also of deleted jobs.';
comment on column akashi_lifecycle.job_runs.due_at is 'When the run was scheduled or requested.';
comment on column akashi_lifecycle.job_runs.worker is
  'The worker process, which holds the advisory lock of akashi_lifecycle.worker_lock(worker) while it runs.';
comment on column akashi_lifecycle.job_runs.progress is 'The latest progress of a running task.';
comment on column akashi_lifecycle.job_runs.cut_short is
  'The worker stopped or died before the end: the run is repeated, as often as begin_run allows.';
create unique index job_runs_running_idx on akashi_lifecycle.job_runs (job) where state = 'running';
create index job_runs_job_idx on akashi_lifecycle.job_runs (job, started_at desc);
create index job_runs_started_idx on akashi_lifecycle.job_runs (started_at);
alter table akashi_lifecycle.job_runs enable row level security, force row level security;
create policy job_runs_read on akashi_lifecycle.job_runs for select to akashi_worker, akashi_security_admin, akashi_reader using (true);
create policy job_runs_owner on akashi_lifecycle.job_runs to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.job_runs to akashi_worker, akashi_security_admin, akashi_reader;
select akashi_audit.exempt('akashi_lifecycle.job_runs', 'history that only the worker writes');

create function akashi_lifecycle.pause_job(name text, paused boolean) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_lifecycle.jobs j set paused = pause_job.paused where j.name = pause_job.name;
  if not found then
    raise exception 'job not found: %', name using errcode = 'undefined_object', hint = 'list them with akashi jobs';
  end if;
end
$$;
comment on function akashi_lifecycle.pause_job(text, boolean) is
  'Pauses or resumes a job. A running run continues.';

create function akashi_lifecycle.request_job(name text) returns timestamptz
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  requested timestamptz;
begin
  update akashi_lifecycle.jobs j set requested_at = clock_timestamp() where j.name = request_job.name
  returning j.requested_at into requested;
  if not found then
    raise exception 'job not found: %', name using errcode = 'undefined_object', hint = 'list them with akashi jobs';
  end if;
  return requested;
end
$$;
comment on function akashi_lifecycle.request_job(text) is
  'Requests an immediate run, also of a paused job; returns the time of the request.';

create function akashi_lifecycle.worker_lock(worker text) returns bigint
  language sql immutable set search_path = pg_catalog, pg_temp as $$
  select hashtextextended('akashi.worker/' || worker, 0)
$$;

-- A live worker holds its lock; a killed one has lost it with its connection.
create function akashi_lifecycle.close_stale_runs() returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  candidate text;
  closed integer := 0;
  step integer;
begin
  for candidate in select distinct worker from akashi_lifecycle.job_runs where state = 'running' loop
    -- Any login can hold an advisory lock: only those of workers count.
    if not exists (
      select from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'advisory' and l.objsubid = 1 and l.granted and pg_has_role(a.usename, 'akashi_worker', 'member')
        and l.database = (select d.oid from pg_database d where d.datname = current_database())
        and (l.classid::bigint << 32 | l.objid::bigint) = akashi_lifecycle.worker_lock(candidate)) then
      update akashi_lifecycle.job_runs
      set state = 'failed', finished_at = clock_timestamp(), message = 'the worker died or lost its connection', cut_short = true
      where worker = candidate and state = 'running';
      get diagnostics step = row_count;
      closed := closed + step;
    end if;
  end loop;
  return closed;
end
$$;

-- Whether a run settles its scheduled time: an interrupted run does so only as the third attempt.
create function akashi_lifecycle.settles(run akashi_lifecycle.job_runs) returns boolean
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select not run.cut_short or (
    select count(*) >= 3 from akashi_lifecycle.job_runs r where r.job = run.job and r.due_at = run.due_at and r.cut_short)
$$;

-- Starts the run that is due at a time. Returns null if a run is active, if one for that time or later was started and
-- not interrupted, or if the job is paused: several workers may request the same run.
create function akashi_lifecycle.begin_run(job text, worker text, due timestamptz) returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  wanted akashi_lifecycle.jobs;
  run uuid;
begin
  perform akashi_lifecycle.close_stale_runs();
  select * into wanted from akashi_lifecycle.jobs j where j.name = begin_run.job for update;
  if not found or (wanted.paused and due is distinct from wanted.requested_at) then
    return null;
  end if;
  if exists (select from akashi_lifecycle.job_runs r where r.job = begin_run.job and (r.due_at >= due or r.started_at >= due)
             and akashi_lifecycle.settles(r)) then
    return null;
  end if;
  insert into akashi_lifecycle.job_runs (job, due_at, worker) values (wanted.name, due, begin_run.worker)
  on conflict do nothing
  returning id into run;
  return run;
end
$$;

-- Returns whether the run still belonged to this worker.
create function akashi_lifecycle.finish_run(run uuid, worker text, state text, message text, result jsonb) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_lifecycle.job_runs r
  set state = finish_run.state, finished_at = clock_timestamp(), message = finish_run.message, result = finish_run.result,
      cut_short = finish_run.state = 'cancelled'
  where r.id = run and r.worker = finish_run.worker and r.state = 'running';
  return found;
end
$$;

create function akashi_lifecycle.report_progress(run uuid, worker text, progress jsonb) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  update akashi_lifecycle.job_runs r set progress = report_progress.progress
  where r.id = run and r.worker = report_progress.worker and r.state = 'running'
$$;

create function akashi_lifecycle.prune_job_runs(keep interval default '90 days') returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  removed integer;
begin
  if keep < interval '1 day' then
    raise exception 'history must be kept for at least one day' using errcode = 'invalid_parameter_value';
  end if;
  delete from akashi_lifecycle.job_runs where started_at < now() - keep and state <> 'running';
  get diagnostics removed = row_count;
  return removed;
end
$$;

grant execute on function akashi_lifecycle.pause_job(text, boolean), akashi_lifecycle.request_job(text)
  to akashi_worker, akashi_security_admin;
grant execute on function akashi_lifecycle.settles(akashi_lifecycle.job_runs) to akashi_worker, akashi_security_admin, akashi_reader;
grant execute on function akashi_lifecycle.worker_lock(text), akashi_lifecycle.close_stale_runs(),
  akashi_lifecycle.begin_run(text, text, timestamptz), akashi_lifecycle.finish_run(uuid, text, text, text, jsonb),
  akashi_lifecycle.report_progress(uuid, text, jsonb), akashi_lifecycle.prune_job_runs(interval)
  to akashi_worker;

-- Jobs of the contexts above; later contexts add their own.
insert into akashi_lifecycle.jobs (name, schedule, task, timeout, description) values
  ('partitions',          '0 1 * * *',   'partitions.apply',    '10 minutes', 'create partitions ahead of time'),
  ('partition-headroom',  '15 * * * *',  'partitions.check',    '1 minute',   'fail when a table is about to run out of partitions'),
  ('index-closed-partitions', '30 1 * * *', 'audit.index_closed', '2 hours',
   'index partitions of the trail that have closed by user, trace, request and table'),
  ('audit-losses',        '*/5 * * * *', 'audit.losses',        '1 minute',
   'record changes that could not be audited as losses in the trail, and fail while any loss is not settled'),
  ('prune-job-runs',      '30 4 * * *',  'jobs.prune',          '10 minutes', 'remove runs older than 90 days from the history');

-- Figures of the compliance report: counts of the time from since to until, and the state as of now.
create function akashi_lifecycle.job_evidence(since timestamptz, until timestamptz,
  out jobs bigint, out runs bigint, out failed_runs bigint, out failing bigint, out paused bigint)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select (select count(*) from akashi_lifecycle.jobs),
         count(*), count(*) filter (where r.state = 'failed'),
         (select count(*) from akashi_lifecycle.jobs j cross join lateral (
            select l.state from akashi_lifecycle.job_runs l where l.job = j.name and l.state in ('done', 'failed')
            order by l.started_at desc limit 1) last where last.state = 'failed' and not j.paused),
         (select count(*) from akashi_lifecycle.jobs j where j.paused)
  from akashi_lifecycle.job_runs r where r.started_at >= since and r.started_at < until
$$;
grant execute on function akashi_lifecycle.job_evidence(timestamptz, timestamptz) to akashi_security_admin;
