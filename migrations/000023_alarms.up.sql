-- Alarms: conditions that hold, with their beginning, end and acknowledgement. src/operations/alarms defines the conditions;
-- workers check them and report those that hold. Opening and clearing an alarm are security events, so alarms are
-- delivered as events are.
set local role akashi_owner;

create table akashi_lifecycle.alarms (
  id              uuid primary key default akashi_audit.uuid_v7(),
  condition       text not null check (condition ~ '^[a-z][a-z0-9_]{0,62}$'),
  subject         text not null default '' check (length(subject) <= 255),
  severity        text not null check (severity in ('low', 'medium', 'high', 'critical')),
  detail          text not null check (length(detail) <= 2000),
  value           double precision,
  began_at        timestamptz not null default clock_timestamp(),
  opened_at       timestamptz,
  announced_at    timestamptz,
  acknowledged_at timestamptz,
  acknowledged_by text,
  note            text check (length(note) <= 1000),
  seen_at         timestamptz not null default clock_timestamp(),
  cleared_at      timestamptz,
  check (announced_at is null or opened_at is not null),
  check (acknowledged_at is null or opened_at is not null),
  check ((acknowledged_at is null) = (acknowledged_by is null)),
  check (cleared_at is null or opened_at is not null)
);
comment on table akashi_lifecycle.alarms is 'Alarms, kept for 400 days after they cleared, and pending ones whose condition has not held for long enough.';
comment on column akashi_lifecycle.alarms.subject is 'What the condition is about, such as a job, a table or a process; empty if there is only one.';
comment on column akashi_lifecycle.alarms.began_at is 'When the condition began to hold.';
comment on column akashi_lifecycle.alarms.opened_at is 'When the alarm opened: the condition had held for its minimum time. Null while pending.';
comment on column akashi_lifecycle.alarms.announced_at is 'When its security event was recorded. Null while it is silenced.';
comment on column akashi_lifecycle.alarms.note is 'The note of the acknowledgement.';
comment on column akashi_lifecycle.alarms.seen_at is 'When the condition was last seen to hold.';
create unique index alarms_standing_idx on akashi_lifecycle.alarms (condition, subject) where cleared_at is null;
create index alarms_opened_idx on akashi_lifecycle.alarms (opened_at desc, id desc) where opened_at is not null;
alter table akashi_lifecycle.alarms enable row level security, force row level security;
create policy alarms_read on akashi_lifecycle.alarms for select to akashi_worker, akashi_security_admin, akashi_reader using (true);
create policy alarms_owner on akashi_lifecycle.alarms to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.alarms to akashi_worker, akashi_security_admin, akashi_reader;

create table akashi_lifecycle.alarm_silences (
  id         uuid primary key default akashi_audit.uuid_v7(),
  condition  text not null check (condition ~ '^[a-z][a-z0-9_]{0,62}$'),
  subject    text check (length(subject) <= 255),
  reason     text not null check (reason ~ '\S' and length(reason) <= 1000),
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  until      timestamptz not null check (until > created_at and until <= created_at + interval '90 days'),
  ended_at   timestamptz,
  ended_by   text,
  check ((ended_at is null) = (ended_by is null))
);
comment on table akashi_lifecycle.alarm_silences is 'During a silence its alarms open and clear without a security event.';
comment on column akashi_lifecycle.alarm_silences.subject is 'Null silences every alarm of the condition.';
comment on column akashi_lifecycle.alarm_silences.ended_at is 'When it was ended early.';
create index alarm_silences_condition_idx on akashi_lifecycle.alarm_silences (condition, until desc);
alter table akashi_lifecycle.alarm_silences enable row level security, force row level security;
create policy alarm_silences_read on akashi_lifecycle.alarm_silences for select to akashi_worker, akashi_security_admin, akashi_reader using (true);
create policy alarm_silences_owner on akashi_lifecycle.alarm_silences to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.alarm_silences to akashi_worker, akashi_security_admin, akashi_reader;
select akashi_audit.protect('akashi_lifecycle.alarm_silences');

-- Counters that only increase, such as deadlocks: an alarm holds for some time after an increase.
create table akashi_lifecycle.alarm_counters (
  name     text primary key,
  value    double precision not null,
  risen_at timestamptz
);
comment on table akashi_lifecycle.alarm_counters is 'The last value of each counter that alarms use, and when it last increased.';
alter table akashi_lifecycle.alarm_counters enable row level security, force row level security;
create policy alarm_counters_owner on akashi_lifecycle.alarm_counters to akashi_owner using (true) with check (true);

select akashi_audit.exempt('akashi_lifecycle.alarms', 'each opening and clearing is a security event, each acknowledgement an action of the trail'),
       akashi_audit.exempt('akashi_lifecycle.alarm_counters', 'readings of the server');

create function akashi_lifecycle.is_silenced(condition text, subject text) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from akashi_lifecycle.alarm_silences s
                 where s.condition = is_silenced.condition and (s.subject is null or s.subject = is_silenced.subject)
                   and s.ended_at is null and s.until > clock_timestamp())
$$;

create function akashi_lifecycle.announce_alarm(alarm akashi_lifecycle.alarms, cleared boolean) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_security.record_event(event_type => case when cleared then 'alarm_cleared' else 'alarm_opened' end,
    event_category => 'system', severity => case when cleared then 'info' else alarm.severity end, source_service => 'akashi',
    description => left(case when cleared then 'cleared: ' else '' end || alarm.detail, 1000), resource_type => 'alarm',
    resource_id => left(alarm.condition || case alarm.subject when '' then '' else '/' || alarm.subject end, 255),
    action_performed => 'watch', result => case when cleared then 'success' else 'failure' end, ocsf_class_uid => 2004,
    event_details => jsonb_strip_nulls(jsonb_build_object('alarm', alarm.id, 'condition', alarm.condition, 'subject', nullif(alarm.subject, ''),
      'severity', alarm.severity, 'value', alarm.value, 'began_at', alarm.began_at, 'opened_at', alarm.opened_at, 'cleared_at', alarm.cleared_at)));
end
$$;

-- Takes the conditions that were checked and those that hold: an array of {condition, subject, severity, detail, value, seconds},
-- where seconds is how long it must hold before the alarm opens. Alarms of unchecked conditions stay as they are.
create function akashi_lifecycle.report_alarms(looked_at text[], holding jsonb, out opened integer, out cleared integer)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  alarm akashi_lifecycle.alarms;
  stamp constant timestamptz := clock_timestamp();
begin
  opened := 0;
  cleared := 0;
  insert into akashi_lifecycle.alarm_counters as c (name, value, risen_at) values ('rounds', 1, stamp)
  on conflict on constraint alarm_counters_pkey do update set value = c.value + 1, risen_at = stamp;
  -- Two workers may report at once. An advisory lock could be held by any login.
  lock table akashi_lifecycle.alarms in share row exclusive mode;
  delete from akashi_lifecycle.alarms a
  where a.opened_at is null and a.condition = any (looked_at) and not exists (
    select from jsonb_to_recordset(holding) as f (condition text, subject text) where f.condition = a.condition and f.subject = a.subject);
  for alarm in
    update akashi_lifecycle.alarms a set cleared_at = stamp
    where a.opened_at is not null and a.cleared_at is null and a.condition = any (looked_at) and not exists (
      select from jsonb_to_recordset(holding) as f (condition text, subject text) where f.condition = a.condition and f.subject = a.subject)
    returning a.*
  loop
    cleared := cleared + 1;
    if alarm.announced_at is not null then
      perform akashi_lifecycle.announce_alarm(alarm, true);
    end if;
  end loop;
  insert into akashi_lifecycle.alarms as a (condition, subject, severity, detail, value, began_at, seen_at)
  select distinct on (f.condition, f.subject) f.condition, f.subject, f.severity, left(f.detail, 2000), f.value, stamp, stamp
  from jsonb_to_recordset(holding) as f (condition text, subject text, severity text, detail text, value double precision)
  on conflict (condition, subject) where cleared_at is null
  do update set severity = excluded.severity, detail = excluded.detail, value = excluded.value, seen_at = stamp;
  with due as (
    update akashi_lifecycle.alarms a set opened_at = stamp
    from jsonb_to_recordset(holding) as f (condition text, subject text, seconds double precision)
    where a.condition = f.condition and a.subject = f.subject and a.opened_at is null
      and a.began_at <= stamp - make_interval(secs => f.seconds)
    returning a.id
  )
  select count(*) into opened from due;
  -- Includes alarms whose silence has ended since they opened.
  for alarm in
    update akashi_lifecycle.alarms a set announced_at = stamp
    where a.opened_at is not null and a.cleared_at is null and a.announced_at is null
      and not akashi_lifecycle.is_silenced(a.condition, a.subject)
    returning a.*
  loop
    perform akashi_lifecycle.announce_alarm(alarm, false);
  end loop;
end
$$;
comment on function akashi_lifecycle.report_alarms(text[], jsonb) is 'Opens and clears alarms of the conditions that were checked.';

-- When a counter last increased; null if it never did. A reset counts from the new value.
create function akashi_lifecycle.counter_risen(name text, value double precision) returns timestamptz
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into akashi_lifecycle.alarm_counters as c (name, value) values (counter_risen.name, counter_risen.value)
  on conflict on constraint alarm_counters_pkey do update set value = excluded.value,
    risen_at = case when excluded.value > c.value then clock_timestamp() else c.risen_at end
  returning risen_at
$$;

create function akashi_lifecycle.alarms_looked_at() returns timestamptz
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select risen_at from akashi_lifecycle.alarm_counters where name = 'rounds'
$$;
comment on function akashi_lifecycle.alarms_looked_at() is 'When a worker last checked the conditions; null before the first time.';
grant execute on function akashi_lifecycle.alarms_looked_at() to akashi_worker, akashi_security_admin, akashi_reader;

create function akashi_lifecycle.acknowledge_alarm(id uuid, note text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  by_whom constant text := akashi_auth.acting_name();
  alarm akashi_lifecycle.alarms;
begin
  update akashi_lifecycle.alarms a set acknowledged_at = clock_timestamp(), acknowledged_by = by_whom, note = nullif(acknowledge_alarm.note, '')
  where a.id = acknowledge_alarm.id and a.opened_at is not null and a.cleared_at is null
  returning * into alarm;
  if not found then
    raise exception 'no open alarm with id %', id using errcode = 'undefined_object', hint = 'list them with akashi alarms';
  end if;
  perform akashi_audit.record_action('alarm_acknowledged', 'acknowledge', 'alarm', id::text, 'SUCCESS',
    jsonb_strip_nulls(jsonb_build_object('condition', alarm.condition, 'subject', nullif(alarm.subject, ''), 'note', alarm.note)));
end
$$;
comment on function akashi_lifecycle.acknowledge_alarm(uuid, text) is 'Acknowledges an open alarm.';

create function akashi_lifecycle.silence_alarms(condition text, subject text, until timestamptz, reason text) returns uuid
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into akashi_lifecycle.alarm_silences (condition, subject, reason, created_by, until)
  values (silence_alarms.condition, silence_alarms.subject, silence_alarms.reason,
          akashi_auth.acting_name(), silence_alarms.until)
  returning id
$$;
comment on function akashi_lifecycle.silence_alarms(text, text, timestamptz, text) is
  'Silences alarms of a condition for 90 days at most; with a null subject, all of them.';

create function akashi_lifecycle.end_silence(id uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_lifecycle.alarm_silences s
  set ended_at = clock_timestamp(), ended_by = akashi_auth.acting_name()
  where s.id = end_silence.id and s.ended_at is null and s.until > clock_timestamp();
  if not found then
    raise exception 'no current silence with id %', id using errcode = 'undefined_object', hint = 'list them with akashi alarms silences';
  end if;
end
$$;

create function akashi_lifecycle.prune_alarms(keep interval default '400 days') returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  removed integer;
begin
  if keep < interval '1 day' then
    raise exception 'history must be kept for at least one day' using errcode = 'invalid_parameter_value';
  end if;
  delete from akashi_lifecycle.alarms where cleared_at < now() - keep;
  get diagnostics removed = row_count;
  return removed;
end
$$;

-- Statistics of the server, in one statement. Only the owner sees the activity of other logins, and only where it was granted
-- pg_read_all_stats.
create function akashi_lifecycle.server_reading(statement_seconds double precision) returns jsonb
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select jsonb_build_object(
    'now', extract(epoch from clock_timestamp()),
    'connections', (select count(*) from pg_stat_activity where backend_type in ('client backend', 'walsender')),
    'maxConnections', current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer,
    'deadlocks', (select coalesce(sum(deadlocks), 0) from pg_stat_database),
    'transactionAge', (select max(age(datfrozenxid)) from pg_database where datallowconn),
    'statements', (select coalesce(jsonb_agg(jsonb_build_object('pid', s.pid, 'login', s.login, 'application', s.application, 'seconds', s.seconds) order by s.seconds desc), '[]')
      from (select a.pid, a.usename as login, a.application_name as application, extract(epoch from clock_timestamp() - a.query_start)::float8 as seconds
            from pg_stat_activity a
            where a.backend_type = 'client backend' and a.state = 'active' and a.pid <> pg_backend_pid()
              and a.application_name <> 'akashi worker' and a.query_start <= clock_timestamp() - make_interval(secs => statement_seconds)
            order by a.query_start limit 20) s),
    'standbys', (select coalesce(jsonb_agg(jsonb_build_object('name', r.application_name, 'pid', r.pid, 'bytes',
        greatest(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
          coalesce(r.replay_lsn, r.flush_lsn, r.write_lsn, r.sent_lsn)), 0),
        'seconds', extract(epoch from r.replay_lag))), '[]')
      from pg_stat_replication r where r.state in ('streaming', 'catchup') and r.application_name not like 'akashi%'))
$$;

grant execute on function akashi_lifecycle.report_alarms(text[], jsonb), akashi_lifecycle.counter_risen(text, double precision),
  akashi_lifecycle.prune_alarms(interval), akashi_lifecycle.server_reading(double precision) to akashi_worker;
grant execute on function akashi_lifecycle.acknowledge_alarm(uuid, text), akashi_lifecycle.silence_alarms(text, text, timestamptz, text),
  akashi_lifecycle.end_silence(uuid) to akashi_worker, akashi_security_admin;
grant execute on function akashi_lifecycle.is_silenced(text, text) to akashi_worker, akashi_security_admin, akashi_reader;

insert into akashi_lifecycle.settings (key, value, pattern, accepts, description) values
  ('alarm.connections_percent', '70', '[1-9]\d?', 'a whole number from 1 to 99',
   'an alarm is raised when more of the connections that the server allows are in use'),
  ('alarm.statement_seconds', '3', '[1-9]\d{0,4}', 'a whole number of seconds, 1 or more',
   'an alarm is raised while a statement runs longer; those of the workers do not count'),
  ('alarm.deadlock_minutes', '60', '[1-9]\d{0,4}', 'a whole number of minutes, 1 or more',
   'how long the alarm for a deadlock stays open after the last one'),
  ('alarm.replication_lag_mb', '256', '[1-9]\d{0,6}', 'a whole number of megabytes, 1 or more',
   'an alarm is raised when a standby is further behind'),
  ('alarm.wal_kept_mb', '2048', '[1-9]\d{0,6}', 'a whole number of megabytes, 1 or more',
   'an alarm is raised when more WAL waits for the object store'),
  ('alarm.frontier_seconds', '60', '[1-9]\d{0,4}', 'a whole number of seconds, 1 or more',
   'an alarm is raised when a transaction has kept rows from being sealed for longer'),
  ('alarm.publish_minutes', '10', '[1-9]\d{0,4}', 'a whole number of minutes, 1 or more',
   'an alarm is raised when no checkpoint was published for longer'),
  ('alarm.witness_minutes', '30', '[1-9]\d{0,4}', 'a whole number of minutes, 1 or more',
   'an alarm is raised when a trusted witness has not cosigned the latest checkpoint for longer'),
  ('alarm.verification_hours', '30', '[1-9]\d{0,4}', 'a whole number of hours, 1 or more',
   'an alarm is raised when no verification was completed for longer'),
  ('alarm.unchecked_days', '45', '[1-9]\d{0,4}', 'a whole number of days, 1 or more',
   'an alarm is raised when some part of the record was not verified for longer'),
  ('alarm.archive_days', '3', '[1-9]\d{0,4}', 'a whole number of days, 1 or more',
   'an alarm is raised when a partition should have been exported longer ago'),
  ('alarm.login_failures', '50', '[1-9]\d{0,6}', 'a whole number, 1 or more',
   'an alarm is raised when more sign-ins of all accounts failed within five minutes'),
  ('alarm.certificate_days', '21', '[1-9]\d{0,4}', 'a whole number of days, 1 or more',
   'an alarm is raised when a certificate expires sooner'),
  ('alarm.clock_skew_seconds', '5', '[1-9]\d{0,4}', 'a whole number of seconds, 1 or more',
   'an alarm is raised when the clocks of a worker and of the database differ by more'),
  ('alarm.transaction_age_millions', '1000', '[1-9]\d{0,3}', 'a whole number of millions, 1 or more',
   'an alarm is raised when the oldest transaction id is older; at 2,146 the server refuses to write');
