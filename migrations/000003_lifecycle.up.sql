-- Settings of the data (as opposed to those of a process), retention policies, and the partitions that policies create
-- ahead of time. A partition is created LIKE its parent and then attached, which takes only SHARE UPDATE EXCLUSIVE on
-- the parent; CREATE TABLE … PARTITION OF would block writers. Gaps between existing partitions are filled, and rows
-- of a default partition are moved out in batches.
set local role akashi_owner;

create table akashi_lifecycle.settings (
  key              text primary key check (key ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$'),
  value            jsonb not null,
  pattern          text not null,
  accepts          text not null,
  description      text not null,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text,
  last_modified_by text,
  -- Values are checked when they are set, because their readers run unattended.
  constraint settings_value_check check (value::text ~ ('^(' || pattern || ')$')),
  constraint settings_time_zone_check
    check (key <> 'organisation.time_zone' or timezone(value #>> '{}', timestamptz 'epoch') is not null)
);
comment on table akashi_lifecycle.settings is 'One row per setting; changed by administrators, read by everybody.';
comment on column akashi_lifecycle.settings.pattern is 'Regular expression that the text of the JSON value matches as a whole.';
comment on column akashi_lifecycle.settings.accepts is 'The same for people, completing "must be".';

alter table akashi_lifecycle.settings enable row level security, force row level security;
create policy settings_read on akashi_lifecycle.settings for select
  to akashi_app, akashi_worker, akashi_reader, akashi_security_admin using (true);
create policy settings_owner on akashi_lifecycle.settings to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.settings to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;

create trigger update_updated_at before update on akashi_lifecycle.settings
  for each row execute function akashi_auth.update_updated_at();

insert into akashi_lifecycle.settings (key, value, pattern, accepts, description) values
  ('session.retention_days', '30', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'how long a session is kept after it expired'),
  ('temporary_data.retention_days', '7', '[1-9]\d{0,5}', 'a whole number of days, 1 or more',
   'how long failed uploads, unused one-time passwords and unconfirmed second factors are kept'),
  ('organisation.time_zone', '"Asia/Tokyo"', '"UTC"|"[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)+"',
   'a name of the IANA time zone database, such as Asia/Tokyo',
   'time zone of users who have not chosen one'),
  ('organisation.data_residency', '"ap-northeast-1"', '"[a-z0-9-]{1,50}"', 'the name of a region, such as ap-northeast-1',
   'region that data must stay in: recorded with new users and exported tables, compared by akashi doctor'),
  ('organisation.holidays', '[]', '\[("\d{4}-\d\d-\d\d"(, (?="))?)*\]', 'dates such as 2026-01-01',
   'days on which the organisation does not work, besides weekends'),
  ('retention.floor_days', '180', '[1-9]\d{0,4}', 'a whole number of days, 1 or more',
   'minimum time for which rows of a log are kept, regardless of its policy'),
  ('retention.shortening_delay_days', '7', '[1-9]\d{0,3}', 'a whole number of days, 1 or more',
   'how long after the change a shorter retention of a log takes effect');

create function akashi_lifecycle.setting(key text) returns jsonb language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  found_value jsonb;
begin
  select s.value into found_value from akashi_lifecycle.settings s where s.key = setting.key;
  if not found then
    raise exception 'setting not found: %', key using errcode = 'undefined_object', hint = 'list them with akashi settings list';
  end if;
  return found_value;
end
$$;
comment on function akashi_lifecycle.setting(text) is 'The value of a setting; an error if there is none.';
grant execute on function akashi_lifecycle.setting(text) to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;

create table akashi_lifecycle.policies (
  schema_name       text not null,
  table_name        text not null,
  interval          text not null check (interval in ('day', 'month')),
  premake           integer not null check (premake between 1 and 1200),
  hot_retention     interval not null check (hot_retention > interval '0'),
  at_expiry         text not null check (at_expiry in ('archive', 'retire', 'keep')),
  total_retention   interval not null,
  append_only       boolean not null,
  legal_hold        boolean not null default false,
  created_at        timestamptz not null default now(),
  updated_at        timestamptz not null default now(),
  created_by        text,
  last_modified_by  text,
  lateness          interval not null default '1 day' check (lateness >= interval '0'),
  format            text not null default 'parquet' check (format in ('parquet', 'parquet+csv')),
  retention_set_by  text,
  retention_set_at  timestamptz,
  primary key (schema_name, table_name),
  check (total_retention >= hot_retention),
  -- Limited so that the end of every period is still a valid timestamp; otherwise all plans would fail.
  check (total_retention <= interval '1000 years'),
  check (lateness <= interval '1000 years')
);
comment on table akashi_lifecycle.policies is
  'One row per partitioned table: interval of its partitions, how many are created ahead, hot retention, what happens then, total retention.';
comment on column akashi_lifecycle.policies.premake is 'Partitions that exist ahead of the current one.';
comment on column akashi_lifecycle.policies.at_expiry is
  'archive: exported, verified, dropped; retire: dropped with a signed retention record; keep: stays.';
comment on column akashi_lifecycle.policies.lateness is 'How long after its end a partition still accepts rows before it is exported.';
comment on column akashi_lifecycle.policies.retention_set_by is
  'Who last changed at_expiry or total_retention, and when: part of the signed retention record. Null if never changed.';
comment on column akashi_lifecycle.policies.format is 'parquet, or parquet+csv for an additional CSV copy.';

alter table akashi_lifecycle.policies enable row level security, force row level security;
create policy policies_read on akashi_lifecycle.policies for select
  to akashi_app, akashi_worker, akashi_reader, akashi_security_admin using (true);
create policy policies_owner on akashi_lifecycle.policies to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.policies to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;
create view akashi_lifecycle.retention with (security_invoker = true) as
  select schema_name, table_name, append_only, legal_hold, hot_retention, total_retention, at_expiry from akashi_lifecycle.policies;
comment on view akashi_lifecycle.retention is 'The parts of a policy that other contexts use: how long rows are kept, and whether they may change.';
grant select on akashi_lifecycle.retention to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;
create trigger update_updated_at before update on akashi_lifecycle.policies
  for each row execute function akashi_auth.update_updated_at();

-- A shorter retention of a log waits here until it takes effect and raises an alarm meanwhile, so that nobody can have
-- the record deleted early unnoticed. Setting the policy again replaces or withdraws it.
create table akashi_lifecycle.shortenings (
  schema_name     text not null,
  table_name      text not null,
  at_expiry       text not null check (at_expiry in ('archive', 'retire')),
  total_retention interval not null,
  reason          text,
  requested_by    text not null,
  requested_at    timestamptz not null default clock_timestamp(),
  effective_at    timestamptz not null,
  primary key (schema_name, table_name),
  foreign key (schema_name, table_name) references akashi_lifecycle.policies on delete cascade
);
comment on table akashi_lifecycle.shortenings is 'Shorter retentions of logs that were requested but are not in effect yet.';
alter table akashi_lifecycle.shortenings enable row level security, force row level security;
create policy shortenings_read on akashi_lifecycle.shortenings for select
  to akashi_app, akashi_worker, akashi_reader, akashi_security_admin using (true);
create policy shortenings_owner on akashi_lifecycle.shortenings to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.shortenings to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;

-- Code of other users that would run when the table is read or written; null when there is none. Checked before such
-- work is done with Akashi's rights. Superusers and the owners of Akashi's objects are trusted.
create function akashi_lifecycle.code_of_others(relation oid) returns text
  language sql stable set search_path = pg_catalog, pg_temp set jit = off as $$
  with recursive trusted as (
    select oid from pg_roles where rolsuper or rolname in ('akashi_owner', 'akashi_policy')
  ), part (oid) as (
    select relation union select i.inhrelid from pg_inherits i join part on part.oid = i.inhparent
  ), reached (type) as (
    select a.atttypid from pg_attribute a join part on part.oid = a.attrelid where a.attnum > 0 and not a.attisdropped
    union
    select inner_type from reached
    join pg_type t on t.oid = reached.type
    cross join lateral (
      select t.typelem union all select t.typbasetype union all select r.rngsubtype from pg_range r where r.rngtypid = t.oid
      union all select a.atttypid from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) inner_types (inner_type)
    where inner_type <> 0
  ), used (classid, objid) as (
    select 'pg_attrdef'::regclass::oid, d.oid from pg_attrdef d join part on part.oid = d.adrelid
    union all select 'pg_constraint'::regclass, c.oid from pg_constraint c join part on part.oid = c.conrelid
    union all select 'pg_class'::regclass, i.indexrelid from pg_index i join part on part.oid = i.indrelid
    union all select 'pg_policy'::regclass, p.oid from pg_policy p join part on part.oid = p.polrelid
    union all select 'pg_trigger'::regclass, t.oid from pg_trigger t join part on part.oid = t.tgrelid
  )
  select string_agg(distinct what, ', ') from (
    select format('%s is no table', c.oid::regclass) from pg_class c join part using (oid) where c.relkind not in ('r', 'p')
    union all select format('%s belongs to %s', c.oid::regclass, c.relowner::regrole) from pg_class c join part using (oid)
      where c.relowner not in (select oid from trusted)
    union all select format('rule %s', r.rulename) from pg_rewrite r join part on part.oid = r.ev_class
    union all select format('type %s of %s', t.oid::regtype, t.typowner::regrole) from reached join pg_type t on t.oid = reached.type
      where t.typowner not in (select oid from trusted)
    union all select format('function %s of %s', p.oid::regprocedure, p.proowner::regrole) from used
      join pg_depend d using (classid, objid) join pg_proc p on d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid
      where p.proowner not in (select oid from trusted)
    union all select format('operator %s of %s', o.oid::regoperator, o.oprowner::regrole) from used
      join pg_depend d using (classid, objid) join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
      where o.oprowner not in (select oid from trusted)
  ) found (what)
$$;

-- The table of that name, locked so that it cannot be replaced after it was checked.
create function akashi_lifecycle.own_table(schema_name text, table_name text) returns regclass
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  others text;
  name constant text := format('%I.%I', schema_name, table_name);
begin
  execute format('lock table %s in access share mode', name);
  others := akashi_lifecycle.code_of_others(name::regclass);
  if others is not null then
    raise exception '% would run untrusted code: %', name, others using errcode = 'AK003',
      hint = 'the table must belong to akashi_owner, and its types, triggers and expressions to akashi_owner or a superuser';
  end if;
  return name::regclass;
end
$$;
comment on function akashi_lifecycle.own_table(text, text) is
  'Locks the table against changes of its definition and returns it; fails when reading or writing it would run untrusted code.';
grant execute on function akashi_lifecycle.code_of_others(oid), akashi_lifecycle.own_table(text, text) to akashi_worker, akashi_security_admin;

-- Statements that prepare a table for archiving; null when it is ready.
create function akashi_lifecycle.missing_for_archive(relation regclass) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select string_agg(statement, '; ' order by place) from (
    select 1, format('grant usage on schema %I to akashi_worker', n.nspname)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = relation and not has_schema_privilege('akashi_worker', n.oid, 'usage')
    union all
    select 2, format('grant usage, create on schema %I to akashi_owner', n.nspname)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = relation and not (has_schema_privilege('akashi_owner', n.oid, 'usage') and has_schema_privilege('akashi_owner', n.oid, 'create'))
    union all
    select 3, format('grant select on %s to akashi_worker', relation) where not has_table_privilege('akashi_worker', relation, 'select')
    union all
    select 4, format('alter table %s add primary key (…)', relation)
    where not exists (select from pg_catalog.pg_index i where i.indrelid = relation and i.indisprimary)
    union all
    select 5, format('alter table %s rename column %I to …', relation, a.attname) from pg_catalog.pg_attribute a
    where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
      and (lower(a.attname) = 'akashi_position' or exists (
        select from pg_catalog.pg_attribute o
        where o.attrelid = relation and o.attnum > 0 and o.attnum < a.attnum and not o.attisdropped and lower(o.attname) = lower(a.attname)))
  ) found (place, statement)
$$;

create function akashi_lifecycle.assert_archivable(relation regclass) returns void
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  missing constant text := akashi_lifecycle.missing_for_archive(relation);
begin
  if missing is not null then
    raise exception '% cannot be archived as it is', relation using errcode = 'AK003', hint = missing;
  end if;
end
$$;

-- Limits a shorter retention of a log to the minimum and defers it, with an alarm.
create function akashi_lifecycle.defer_shortening(before akashi_lifecycle.policies, wanted akashi_lifecycle.policies,
  named boolean, acting text, reason text) returns akashi_lifecycle.policies
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  floor constant interval := make_interval(days => (akashi_lifecycle.setting('retention.floor_days') #>> '{}')::integer);
  delay constant interval := make_interval(days => (akashi_lifecycle.setting('retention.shortening_delay_days') #>> '{}')::integer);
  effective constant timestamptz := clock_timestamp() + delay;
  result akashi_lifecycle.policies := wanted;
begin
  if not named then
    return wanted;
  end if;
  if not exists (select from akashi_audit.logs l where (l.schema_name, l.table_name) = (wanted.schema_name, wanted.table_name)) then
    result.retention_set_by := acting;
    result.retention_set_at := clock_timestamp();
    return result;
  end if;
  if wanted.at_expiry <> 'keep' and wanted.total_retention < floor then
    raise exception 'rows of a log must be kept for at least % days', extract(day from floor) using errcode = 'AK003',
      hint = 'the minimum is the setting retention.floor_days, which only an administrator of the database can change';
  end if;
  delete from akashi_lifecycle.shortenings s where (s.schema_name, s.table_name) = (wanted.schema_name, wanted.table_name);
  if wanted.at_expiry = 'keep' or (before.at_expiry <> 'keep' and wanted.total_retention >= before.total_retention) then
    if (wanted.at_expiry, wanted.total_retention) is distinct from (before.at_expiry, before.total_retention) then
      result.retention_set_by := acting;
      result.retention_set_at := clock_timestamp();
    end if;
    return result;
  end if;
  insert into akashi_lifecycle.shortenings (schema_name, table_name, at_expiry, total_retention, reason, requested_by, effective_at)
  values (wanted.schema_name, wanted.table_name, wanted.at_expiry, wanted.total_retention, reason, acting, effective);
  perform akashi_security.record_event(event_type => 'retention_shortened', event_category => 'configuration', severity => 'critical',
    source_service => 'akashi', resource_type => 'table', resource_id => format('%I.%I', wanted.schema_name, wanted.table_name),
    action_performed => 'set', result => 'success', ocsf_class_uid => 3004, event_details => jsonb_strip_nulls(jsonb_build_object(
      'from', before.total_retention, 'to', wanted.total_retention, 'at_expiry', wanted.at_expiry, 'requested_by', acting,
      'effective_at', effective, 'reason', reason)));
  result.at_expiry := before.at_expiry;
  result.total_retention := before.total_retention;
  return result;
end
$$;

-- Applies deferred changes that are due. Returns how many.
create function akashi_lifecycle.apply_shortenings() returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  due akashi_lifecycle.shortenings;
  applied integer := 0;
begin
  for due in select * from akashi_lifecycle.shortenings s where s.effective_at <= clock_timestamp() order by 1, 2 for update loop
    update akashi_lifecycle.policies p
    set at_expiry = due.at_expiry, total_retention = due.total_retention, hot_retention = least(p.hot_retention, due.total_retention),
        retention_set_by = due.requested_by, retention_set_at = due.requested_at
    where (p.schema_name, p.table_name) = (due.schema_name, due.table_name);
    delete from akashi_lifecycle.shortenings s where (s.schema_name, s.table_name) = (due.schema_name, due.table_name);
    perform akashi_audit.record_action('lifecycle_policy', 'shorten', format('%I.%I', due.schema_name, due.table_name), null, 'SUCCESS',
      jsonb_strip_nulls(to_jsonb(due)));
    applied := applied + 1;
  end loop;
  return applied;
end
$$;
comment on function akashi_lifecycle.apply_shortenings() is 'Puts shorter retentions into effect whose delay is over; returns how many.';
grant execute on function akashi_lifecycle.apply_shortenings() to akashi_worker;

-- Policies are changed only by functions, which check the values, require a right and record actor and reason. The
-- trail records the row as well.
create function akashi_lifecycle.set_policy(schema_name text, table_name text, changes jsonb, reason text default null)
  returns akashi_lifecycle.policies language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
#variable_conflict use_column
declare
  known constant text[] := array['interval', 'premake', 'hot_retention', 'at_expiry', 'total_retention', 'lateness', 'format'];
  -- Alarms are raised below 7 days or 1 month, so more is kept ahead.
  least_days constant integer := 8;
  least_months constant integer := 2;
  most_steps constant integer := 1200;
  -- From the catalog: a lookup by name fails in a schema that the owner may not use.
  target constant regclass := (
    select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where (n.nspname, c.relname) = (set_policy.schema_name, set_policy.table_name));
  acting constant text := coalesce(akashi_auth.current_user_id()::text, session_user);
  before akashi_lifecycle.policies;
  changed akashi_lifecycle.policies;
  wrong text;
begin
  if target is null then
    raise exception 'table not found: %.%', set_policy.schema_name, set_policy.table_name using errcode = 'undefined_object';
  end if;
  if jsonb_typeof(changes) is distinct from 'object' or changes = '{}' then
    raise exception 'nothing to change' using errcode = 'invalid_parameter_value',
      hint = 'name one of ' || array_to_string(known, ', ');
  end if;
  select key into wrong from jsonb_each(changes) where key <> all (known) order by key limit 1;
  if found then
    raise exception 'a policy has no %', wrong using errcode = 'invalid_parameter_value',
      hint = 'it has ' || array_to_string(known, ', ') || '; use akashi_lifecycle.hold() for a legal hold';
  end if;
  select * into before from akashi_lifecycle.policies p
  where (p.schema_name, p.table_name) = (set_policy.schema_name, set_policy.table_name) for update;
  if not found then
    if not (changes ?& array['interval', 'hot_retention', 'at_expiry', 'total_retention']) then
      raise exception '%.% has no lifecycle policy', set_policy.schema_name, set_policy.table_name
        using errcode = 'undefined_object',
              hint = 'a new policy needs interval, hot_retention, at_expiry and total_retention';
    end if;
    if not exists (
      select from pg_catalog.pg_partitioned_table t
      join pg_catalog.pg_attribute a on a.attrelid = t.partrelid and a.attnum = t.partattrs[0]
      where t.partrelid = target and t.partstrat = 'r' and t.partnatts = 1 and a.attname = 'created_at'
    ) then
      raise exception '% is not partitioned by range of created_at', target using errcode = 'wrong_object_type';
    end if;
    if (select c.relowner from pg_catalog.pg_class c where c.oid = target) <> 'akashi_owner'::regrole then
      raise exception '% is not owned by akashi_owner, which creates and detaches partitions', target
        using errcode = 'AK003', hint = format('alter table %s owner to akashi_owner', target);
    end if;
    if changes ->> 'at_expiry' = 'archive' then
      perform akashi_lifecycle.assert_archivable(target);
    end if;
    perform akashi_lifecycle.own_table(set_policy.schema_name, set_policy.table_name);
    before := jsonb_populate_record(null::akashi_lifecycle.policies, jsonb_build_object('schema_name', set_policy.schema_name,
      'table_name', set_policy.table_name, 'append_only', false, 'legal_hold', false, 'lateness', '1 day', 'format', 'parquet',
      'premake', case changes ->> 'interval' when 'month' then 3 else 30 end, 'created_at', now(), 'updated_at', now()));
    insert into akashi_lifecycle.policies select (jsonb_populate_record(before, changes)).*;
  elsif changes ? 'interval' and changes ->> 'interval' <> before.interval then
    raise exception 'the interval of %.% cannot be changed: its partitions depend on it', set_policy.schema_name, set_policy.table_name
      using errcode = 'AK003';
  end if;
  changed := jsonb_populate_record(before, changes);
  if not (changed.premake between case changed.interval when 'day' then least_days else least_months end and most_steps) then
    raise exception 'partitions must be created % to % % ahead', case changed.interval when 'day' then least_days else least_months end,
      most_steps, changed.interval || 's' using errcode = 'invalid_parameter_value';
  end if;
  if changed.at_expiry not in ('archive', 'retire', 'keep') then
    raise exception 'at_expiry must be archive, retire or keep, not %', changed.at_expiry
      using errcode = 'invalid_parameter_value';
  end if;
  if changed.hot_retention < '1 day' then
    raise exception 'rows must stay in PostgreSQL for at least one day' using errcode = 'invalid_parameter_value';
  end if;
  if greatest(changed.total_retention, changed.lateness) > interval '1000 years' then
    raise exception 'a period in a policy is at most 1000 years' using errcode = 'invalid_parameter_value',
      hint = 'to keep rows forever, set at_expiry to keep';
  end if;
  if changed.total_retention < changed.hot_retention then
    raise exception 'the total retention must not be shorter than the hot retention: % is shorter than %',
      changed.total_retention, changed.hot_retention using errcode = 'invalid_parameter_value';
  end if;
  if changed.lateness < '0' or changed.format not in ('parquet', 'parquet+csv') or changed.interval not in ('day', 'month') then
    raise exception 'the policy is not valid' using errcode = 'invalid_parameter_value',
      hint = 'interval must be day or month, lateness not negative, format parquet or parquet+csv';
  end if;
  if changed.at_expiry = 'archive' then
    perform akashi_lifecycle.assert_archivable(target);
  end if;
  if changes ?| array['at_expiry', 'total_retention'] and changed.at_expiry <> 'keep'
     and (before.at_expiry = 'keep' or changed.total_retention < before.total_retention) then
    perform akashi_auth.use_approval('shorten_retention', format('%s.%s', changed.schema_name, changed.table_name),
      jsonb_build_object('total', changed.total_retention, 'at_expiry', changed.at_expiry));
  end if;
  changed := akashi_lifecycle.defer_shortening(before, changed, changes ?| array['at_expiry', 'total_retention'], acting, reason);
  update akashi_lifecycle.policies p
  set premake = changed.premake, hot_retention = changed.hot_retention, at_expiry = changed.at_expiry,
      total_retention = changed.total_retention, lateness = changed.lateness, format = changed.format,
      retention_set_by = changed.retention_set_by, retention_set_at = changed.retention_set_at,
      last_modified_by = acting
  where (p.schema_name, p.table_name) = (set_policy.schema_name, set_policy.table_name)
  returning * into changed;
  perform akashi_audit.record_action('lifecycle_policy', 'set', format('%I.%I', set_policy.schema_name, set_policy.table_name), null, 'SUCCESS',
    jsonb_strip_nulls(jsonb_build_object('changes', changes, 'before',
      (select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(before)) where changes ? key), 'reason', reason)));
  return changed;
end
$$;
comment on function akashi_lifecycle.set_policy(text, text, jsonb, text) is
  'Changes the given parts of a table''s policy, or creates it; refuses contradictions and records who changed it and why.';
grant execute on function akashi_lifecycle.set_policy(text, text, jsonb, text) to akashi_worker, akashi_security_admin;

create function akashi_lifecycle.hold(schema_name text, table_name text, held boolean, reason text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- A process without a user is authorised by its role.
  if akashi_auth.current_user_id() is not null or akashi_auth.current_session_id() is not null then
    perform akashi_auth.require_permission('lifecycle:admin');
  end if;
  if coalesce(reason, '') !~ '\S' then
    raise exception 'a legal hold requires a reason to begin or end' using errcode = 'invalid_parameter_value', hint = 'state the reason';
  end if;
  update akashi_lifecycle.policies p set legal_hold = held
  where (p.schema_name, p.table_name) = (hold.schema_name, hold.table_name) and p.legal_hold <> held;
  if found and not held then
    perform akashi_auth.use_approval('release_hold', format('%s.%s', schema_name, table_name));
  elsif not found and not exists (
    select from akashi_lifecycle.policies p where (p.schema_name, p.table_name) = (hold.schema_name, hold.table_name)) then
    raise exception '%.% has no lifecycle policy', schema_name, table_name using errcode = 'undefined_object';
  end if;
  perform akashi_audit.record_action('archive', case when held then 'hold' else 'release' end, format('%I.%I', schema_name, table_name),
    null, 'SUCCESS', jsonb_strip_nulls(jsonb_build_object('reason', reason)));
end
$$;
comment on function akashi_lifecycle.hold(text, text, boolean, text) is
  'Puts a table under legal hold, or ends the hold. While it lasts, nothing of the table is dropped, retired or deleted.';
grant execute on function akashi_lifecycle.hold(text, text, boolean, text) to akashi_worker, akashi_security_admin;

-- Bounds are UTC days and months, so daylight saving never moves them.
create function akashi_lifecycle.partition_from(at timestamptz, step text) returns timestamptz
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select date_trunc(step, at at time zone 'UTC') at time zone 'UTC'
$$;

create function akashi_lifecycle.partition_to(at timestamptz, step text) returns timestamptz
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select (date_trunc(step, at at time zone 'UTC') + ('1 ' || step)::interval) at time zone 'UTC'
$$;

-- A name of at most 63 bytes, the limit of PostgreSQL. A longer one is truncated and ends with a digest, so that names
-- of different tables stay different.
create function akashi_lifecycle.fit_name(parent text, suffix text) returns text
  language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case when octet_length(parent || suffix) <= 63 then parent || suffix else (
    select left(parent, n) || '_' || substr(encode(sha256(convert_to(parent, 'UTF8')), 'hex'), 1, 8) || suffix
    from generate_series(1, length(parent)) n where octet_length(left(parent, n)) + 9 + octet_length(suffix) <= 63
    order by n desc limit 1) end
$$;

create function akashi_lifecycle.partition_name(parent text, at timestamptz, step text, piece text default '') returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select akashi_lifecycle.fit_name(parent, case step when 'day' then to_char(at at time zone 'UTC', '"_p"YYYYMMDD')
                                                     else to_char(at at time zone 'UTC', '_YYYY_MM') end || piece)
$$;
comment on function akashi_lifecycle.partition_name(text, timestamptz, text, text) is
  'audit_logs_2026_11 for months, security_events_p20261121 for days; long table names are truncated and get a digest.';

-- Bounds of a partition, read from the catalog; null for a default partition and for bounds that are not times.
create function akashi_lifecycle.partition_bounds(partition regclass, out lower timestamptz, out upper timestamptz)
  language plpgsql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  bound text[] := regexp_match(
    (select pg_get_expr(relpartbound, oid) from pg_catalog.pg_class where oid = partition),
    $re$^FOR VALUES FROM \((?:'([^']*)'|(MINVALUE))\) TO \((?:'([^']*)'|(MAXVALUE))\)$re$);
begin
  lower := coalesce(bound[1], case when bound[2] is not null then '-infinity' end)::timestamptz;
  upper := coalesce(bound[3], case when bound[4] is not null then 'infinity' end)::timestamptz;
exception when data_exception then
  lower := null;
  upper := null;
end
$$;

-- The default partition of a table, or null.
create function akashi_lifecycle.default_partition(parent regclass) returns regclass
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select nullif(p.partdefid, 0)::regclass from pg_catalog.pg_partitioned_table p where p.partrelid = parent
$$;

-- The parts of a range that no partition covers.
create function akashi_lifecycle.uncovered(parent regclass, range_from timestamptz, range_to timestamptz) returns tstzmultirange
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select tstzmultirange(tstzrange(range_from, range_to))
    - coalesce((select range_agg(tstzrange(b.lower, b.upper))
                from pg_catalog.pg_inherits i, akashi_lifecycle.partition_bounds(i.inhrelid::regclass) b
                where i.inhparent = parent and b.lower < b.upper), '{}')
$$;

-- A part of a period is named after its beginning.
create function akashi_lifecycle.piece_name(parent text, step text, piece tstzrange) returns text
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select akashi_lifecycle.partition_name(parent, lower(piece), step,
    case when lower(piece) = akashi_lifecycle.partition_from(lower(piece), step)
                 and upper(piece) = akashi_lifecycle.partition_to(lower(piece), step) then ''
            else to_char(lower(piece) at time zone 'UTC',
              case step when 'day' then '"_"HH24MISS' else '"_"DDHH24MISS' end
              || case when date_trunc('second', lower(piece)) = lower(piece) then '' else 'US' end) end)
$$;

create function akashi_lifecycle.policy_of(parent regclass) returns akashi_lifecycle.policies
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  policy akashi_lifecycle.policies;
begin
  select p.* into policy from akashi_lifecycle.policies p
  join pg_catalog.pg_namespace n on n.nspname = p.schema_name
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
  where c.oid = parent;
  if not found then
    raise exception '% has no lifecycle policy', parent
      using errcode = 'undefined_object', hint = 'create one with akashi archive policy set';
  end if;
  return policy;
end
$$;

-- A partition that is to be created, was created or could not be; also a table that cannot be planned.
create type akashi_lifecycle.partition_action as (
  schema_name text, table_name text, partition_name text, action text, lower timestamptz, upper timestamptz, message text
);

-- Creates a table like its parent, not yet attached.
create function akashi_lifecycle.prepare_partition(parent regclass, name text, lower_bound timestamptz, upper_bound timestamptz)
  returns regclass language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  policy constant akashi_lifecycle.policies := akashi_lifecycle.policy_of(parent);
  child constant text := format('%I.%I', policy.schema_name, name);
begin
  execute format('create table %s (like %s including defaults including constraints including generated including storage)',
    child, parent);
  -- With this constraint ATTACH skips its scan; it is dropped afterwards.
  execute format('alter table %s add constraint bounds check (created_at >= %L and created_at < %L)', child, lower_bound, upper_bound);
  return child::regclass;
end
$$;

-- Statement triggers are not inherited, so a new partition of a guarded or protected table gets its own.
create function akashi_lifecycle.attach_prepared(parent regclass, child regclass, lower_bound timestamptz, upper_bound timestamptz)
  returns void language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  policy constant akashi_lifecycle.policies := akashi_lifecycle.policy_of(parent);
begin
  execute format('alter table %s enable row level security', child);
  execute format('alter table %s force row level security', child);
  execute format('revoke all on %s from public', child);
  if policy.append_only then
    perform akashi_audit.guard(child);
  end if;
  perform akashi_audit.protect_partition(child, policy.schema_name, policy.table_name);
  execute format('alter table %s attach partition %s for values from (%L) to (%L)', parent, child, lower_bound, upper_bound);
  execute format('alter table %s drop constraint bounds', child);
  perform akashi_audit.record_relations('partition', array[child]);
end
$$;

-- One change of a table's partitions at a time. The lock that ATTACH takes: an advisory lock could be held by any login.
create function akashi_lifecycle.lock_partitions(parent regclass) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('lock table only %s in share update exclusive mode', parent);
end
$$;

-- Creates and attaches a partition with exactly these bounds. Returns null when part of the range is covered.
create function akashi_lifecycle.make_partition(parent regclass, name text, lower_bound timestamptz, upper_bound timestamptz)
  returns text language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '100ms' as $$
begin
  -- Serialised per table: two concurrent callers would find the same gap, and one would fail.
  perform akashi_lifecycle.lock_partitions(parent);
  if akashi_lifecycle.uncovered(parent, lower_bound, upper_bound) <> tstzmultirange(tstzrange(lower_bound, upper_bound)) then
    return null;
  end if;
  perform akashi_lifecycle.attach_prepared(parent, akashi_lifecycle.prepare_partition(parent, name, lower_bound, upper_bound), lower_bound, upper_bound);
  return name;
end
$$;

-- Creates the partition for `at`, for the part of its period that is not covered. Null when it is covered.
create function akashi_lifecycle.create_partition(parent regclass, at timestamptz) returns text
  language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '100ms' as $$
declare
  policy constant akashi_lifecycle.policies := akashi_lifecycle.policy_of(parent);
  piece tstzrange;
begin
  perform akashi_lifecycle.lock_partitions(parent);
  select p into piece
  from unnest(akashi_lifecycle.uncovered(parent, akashi_lifecycle.partition_from(at, policy.interval), akashi_lifecycle.partition_to(at, policy.interval))) p
  where p @> at;
  if not found then
    return null;
  end if;
  return akashi_lifecycle.make_partition(parent, akashi_lifecycle.piece_name(policy.table_name, policy.interval, piece), lower(piece), upper(piece));
end
$$;
comment on function akashi_lifecycle.create_partition(regclass, timestamptz) is
  'Creates and attaches the partition of a table for a given time, protected like its parent; null if it already exists.';

-- The missing partitions of one table, up to `premake` steps after the current one.
create function akashi_lifecycle.missing_partitions(parent regclass, as_of timestamptz) returns setof akashi_lifecycle.partition_action
  language plpgsql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  policy constant akashi_lifecycle.policies := akashi_lifecycle.policy_of(parent);
  fallback constant regclass := akashi_lifecycle.default_partition(parent);
  begins constant timestamptz := akashi_lifecycle.partition_from(as_of, policy.interval);
  ends constant timestamptz := akashi_lifecycle.partition_to(
    (begins at time zone 'UTC' + policy.premake * ('1 ' || policy.interval)::interval) at time zone 'UTC', policy.interval);
  missing constant tstzmultirange := akashi_lifecycle.uncovered(parent, begins, ends);
begin
  if not exists (
    select from pg_catalog.pg_partitioned_table t
    join pg_catalog.pg_attribute a on a.attrelid = t.partrelid and a.attnum = t.partattrs[0]
    where t.partrelid = parent and t.partstrat = 'r' and t.partnatts = 1 and a.attname = 'created_at'
      and a.atttypid = 'timestamptz'::regtype
  ) then
    raise exception '% is not partitioned by range of created_at, a timestamptz', parent using errcode = 'wrong_object_type';
  end if;
  if fallback is not null then
    return query select policy.schema_name, policy.table_name, c.relname::text, 'drain', null::timestamptz, null::timestamptz,
      format('about %s rows of the default partition are moved into new partitions', greatest(c.reltuples, 0)::bigint)
    from pg_catalog.pg_class c where c.oid = fallback;
  end if;
  -- Rows in the default partition block only partitions that would contain them.
  return query
    select policy.schema_name, policy.table_name, akashi_lifecycle.piece_name(policy.table_name, policy.interval, piece), 'create',
           lower(piece), upper(piece), null::text
    from generate_series(0, policy.premake) n
    cross join lateral (
      select (begins at time zone 'UTC' + n * ('1 ' || policy.interval)::interval) at time zone 'UTC' as at
    ) step
    cross join lateral unnest(missing * tstzmultirange(tstzrange(step.at, akashi_lifecycle.partition_to(step.at, policy.interval)))) piece
    order by lower(piece);
end
$$;

-- The missing partitions of every table, up to `premake` steps after the current one.
create function akashi_lifecycle.plan_partitions(as_of timestamptz default now()) returns setof akashi_lifecycle.partition_action
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  policy akashi_lifecycle.policies;
  parent regclass;
begin
  for policy in select * from akashi_lifecycle.policies p order by p.schema_name, p.table_name loop
    parent := to_regclass(format('%I.%I', policy.schema_name, policy.table_name));
    continue when parent is null;
    begin
      return query select * from akashi_lifecycle.missing_partitions(parent, as_of);
    exception when others then
      return next (policy.schema_name, policy.table_name, policy.table_name, 'failed', null, null, sqlerrm)::akashi_lifecycle.partition_action;
    end;
  end loop;
end
$$;

-- Creates the planned partitions, at most so many: each holds some ten locks until the transaction ends. A failure is
-- reported in the row of its table and does not affect the others.
create function akashi_lifecycle.apply_partitions(as_of timestamptz default now(), at_most integer default null)
  returns setof akashi_lifecycle.partition_action
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  step akashi_lifecycle.partition_action;
  made integer := 0;
begin
  for step in select * from akashi_lifecycle.plan_partitions(as_of) loop
    if step.action = 'create' then
      begin
        -- Another process may have created it in the meantime.
        step.action := case when akashi_lifecycle.make_partition(format('%I.%I', step.schema_name, step.table_name)::regclass,
          step.partition_name, step.lower, step.upper) is null then 'exists' else 'created' end;
      exception when others then
        step.action := 'failed';
        step.message := sqlerrm;
      end;
    end if;
    return next step;
    made := made + (step.action = 'created')::integer;
    exit when made = at_most;
  end loop;
end
$$;

-- How many partitions a table may have, so that a statement over all of them, as sealing and verification need, takes at
-- most half of the server's locks: one for each partition and each of its indexes.
create function akashi_lifecycle.max_partitions(parent regclass) returns integer
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select (current_setting('max_locks_per_transaction')::bigint
      * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)
      / 2 / (1 + (select count(*) from pg_index i where i.indrelid = parent)))::integer
$$;

-- Creates partitions for given times, e.g. before an old log is loaded. Existing partitions are read once, since there
-- may be thousands. Each new partition holds about ten locks until the transaction ends, so callers pass only a few
-- times at once. Returns how many partitions were created.
create function akashi_lifecycle.create_partitions(parent regclass, moments timestamptz[]) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '100ms' as $$
declare
  policy constant akashi_lifecycle.policies := akashi_lifecycle.policy_of(parent);
  missing tstzmultirange;
  piece tstzrange;
  made integer := 0;
begin
  -- Not every reader of the record can parse other years.
  if exists (select from unnest(moments) m where m is null or not isfinite(m) or m < '0001-01-01' or m >= '10000-01-01') then
    raise exception 'partitions can be created for the years 1 to 9999' using errcode = 'invalid_parameter_value';
  end if;
  perform akashi_lifecycle.lock_partitions(parent);
  missing := akashi_lifecycle.uncovered(parent,
    (select akashi_lifecycle.partition_from(min(m), policy.interval) from unnest(moments) m),
    (select akashi_lifecycle.partition_to(max(m), policy.interval) from unnest(moments) m));
  for piece in
    select distinct p
    from unnest(moments) m
    cross join lateral unnest(missing * tstzmultirange(tstzrange(
      akashi_lifecycle.partition_from(m, policy.interval), akashi_lifecycle.partition_to(m, policy.interval)))) p
    where p @> m order by p
  loop
    perform akashi_lifecycle.attach_prepared(parent, akashi_lifecycle.prepare_partition(parent,
      akashi_lifecycle.piece_name(policy.table_name, policy.interval, piece), lower(piece), upper(piece)), lower(piece), upper(piece));
    made := made + 1;
  end loop;
  if made > 0 and (select count(*) from pg_inherits i where i.inhparent = parent) > akashi_lifecycle.max_partitions(parent) then
    raise exception '% would have more than % partitions, for which the server has too few locks', parent, akashi_lifecycle.max_partitions(parent)
      using errcode = 'AK003', hint = 'raise max_locks_per_transaction, e.g. to 512, and restart PostgreSQL; or ingest fewer periods at once and archive them first';
  end if;
  return made;
end
$$;

-- The same for a range.
create function akashi_lifecycle.create_partitions(parent regclass, range_from timestamptz, range_to timestamptz)
  returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  max_partitions constant integer := 4000;
  step text;
  moments timestamptz[] := '{}';
  at timestamptz;
begin
  select p.interval into step from akashi_lifecycle.policies p
  where to_regclass(format('%I.%I', p.schema_name, p.table_name)) = parent;
  if not found then
    raise exception '% has no lifecycle policy', parent
      using errcode = 'undefined_object', hint = 'add a row to akashi_lifecycle.policies first';
  end if;
  if not (isfinite(range_from) and isfinite(range_to) and range_from <= range_to) then
    raise exception '% to % is not a valid time range', range_from, range_to using errcode = 'invalid_parameter_value';
  end if;
  at := akashi_lifecycle.partition_from(range_from, step);
  while at <= range_to loop
    moments := moments || at;
    if cardinality(moments) > max_partitions then
      raise exception 'the range % to % has more than % partitions', range_from, range_to, max_partitions
        using errcode = 'program_limit_exceeded', hint = 'use smaller ranges';
    end if;
    at := akashi_lifecycle.partition_to(at, step);
  end loop;
  return akashi_lifecycle.create_partitions(parent, moments);
end
$$;

-- Moves the oldest rows of a default partition into a partition of their own: a whole period, or a part with at most
-- `batch` rows, so that the lock is held only briefly. The rows move in one transaction, so every snapshot sees each
-- row once. An empty default partition is detached.
create function akashi_lifecycle.drain_default(parent regclass, batch integer, out action text, out partition_name text,
  out lower timestamptz, out upper timestamptz, out moved bigint)
  language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '100ms' as $$
declare
  policy constant akashi_lifecycle.policies := akashi_lifecycle.policy_of(parent);
  fallback constant regclass := akashi_lifecycle.default_partition(parent);
  hidden boolean;
  oldest timestamptz;
  piece tstzrange;
  ends timestamptz;
  child regclass;
  list text;
  own record;
  modes jsonb := '{}';
begin
  if fallback is null then
    action := 'none';
    return;
  end if;
  if batch < 1 then
    raise exception 'a batch must have at least one row' using errcode = 'invalid_parameter_value';
  end if;
  perform akashi_lifecycle.lock_partitions(parent);
  partition_name := (select c.relname from pg_catalog.pg_class c where c.oid = fallback);
  -- A reader that waits for the default partition only has already listed the partitions and would miss the new one.
  execute format('lock table only %s in access exclusive mode', parent);
  execute format('lock table only %s in access exclusive mode', fallback);
  hidden := row_security_active(fallback);
  if hidden then
    execute format('create policy akashi_drain on %s to akashi_owner using (true) with check (true)', fallback);
  end if;
  perform akashi_audit.assert_unfiltered(fallback);
  execute format('select min(created_at) from only %s', fallback) into oldest;
  if oldest is null then
    if hidden then
      execute format('drop policy akashi_drain on %s', fallback);
    end if;
    execute format('alter table %s detach partition %s', parent, fallback);
    execute format('comment on table %s is %L', fallback,
      format('was the default partition of %s; empty since %s, nothing uses it', parent, now()));
    action := 'detached';
    moved := 0;
    return;
  end if;
  if not isfinite(oldest) then
    raise exception '% has rows at %, which no partition can hold', fallback, oldest
      using errcode = 'AK003', hint = 'give them a valid time, or remove them';
  end if;
  -- A row in the default partition is in no other partition, so the part with its oldest row is not covered.
  select p into piece
  from unnest(akashi_lifecycle.uncovered(parent, akashi_lifecycle.partition_from(oldest, policy.interval), akashi_lifecycle.partition_to(oldest, policy.interval))) p
  where p @> oldest;
  execute format('select created_at from only %s where created_at < %L order by created_at offset %s limit 1', fallback, upper(piece), batch)
    into ends;
  if ends = oldest then
    execute format('select min(created_at) from only %s where created_at > %L and created_at < %L', fallback, ends, upper(piece)) into ends;
  end if;
  piece := tstzrange(lower(piece), coalesce(ends, upper(piece)));
  partition_name := akashi_lifecycle.piece_name(policy.table_name, policy.interval, piece);
  child := akashi_lifecycle.prepare_partition(parent, partition_name, lower(piece), upper(piece));
  select string_agg(format('%I', a.attname), ', ' order by a.attnum) into list from pg_catalog.pg_attribute a
  where a.attrelid = fallback and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
  execute format('insert into %s (%s) select %s from only %s where created_at >= %L and created_at < %L',
    child, list, list, fallback, lower(piece), upper(piece));
  get diagnostics moved = row_count;
  -- The rows do not change, so nothing must be recorded or refused.
  for own in select t.tgname, t.tgenabled from pg_catalog.pg_trigger t where t.tgrelid = fallback and not t.tgisinternal loop
    modes := modes || jsonb_build_object(own.tgname, own.tgenabled);
    execute format('alter table %s disable trigger %I', fallback, own.tgname);
  end loop;
  execute format('delete from only %s where created_at >= %L and created_at < %L', fallback, lower(piece), upper(piece));
  for own in select key, value from jsonb_each_text(modes) where value <> 'D' loop
    execute format('alter table %s enable %s trigger %I', fallback,
      case own.value when 'A' then 'always' when 'R' then 'replica' else '' end, own.key);
  end loop;
  if hidden then
    execute format('drop policy akashi_drain on %s', fallback);
  end if;
  perform akashi_audit.record_relations('drain', array[fallback]);
  perform akashi_lifecycle.attach_prepared(parent, child, lower(piece), upper(piece));
  action := 'drained';
  lower := lower(piece);
  upper := upper(piece);
end
$$;
comment on function akashi_lifecycle.drain_default(regclass, integer, out text, out text, out timestamptz, out timestamptz, out bigint) is
  'Moves up to about a batch of rows out of a default partition; detaches it once it is empty. Call it until it returns detached.';

create view akashi_lifecycle.partition_headroom with (security_invoker = true) as
  select p.schema_name, p.table_name, p.interval, p.premake, count(b.upper) as partitions,
         max(b.upper) filter (where isfinite(b.upper)) as covered_until,
         max(b.upper) filter (where isfinite(b.upper)) - now() as headroom
  from akashi_lifecycle.policies p
  left join pg_catalog.pg_inherits i on i.inhparent = to_regclass(format('%I.%I', p.schema_name, p.table_name))
  left join lateral akashi_lifecycle.partition_bounds(i.inhrelid::regclass) b on true
  group by p.schema_name, p.table_name, p.interval, p.premake;
comment on view akashi_lifecycle.partition_headroom is 'How far ahead each table has partitions, with an early alarm.';

grant execute on function akashi_lifecycle.partition_bounds(regclass), akashi_lifecycle.partition_from(timestamptz, text),
  akashi_lifecycle.partition_to(timestamptz, text), akashi_lifecycle.partition_name(text, timestamptz, text, text),
  akashi_lifecycle.fit_name(text, text)
  to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;
grant execute on function akashi_lifecycle.plan_partitions(timestamptz), akashi_lifecycle.apply_partitions(timestamptz, integer),
  akashi_lifecycle.create_partitions(regclass, timestamptz[]),
  akashi_lifecycle.create_partitions(regclass, timestamptz, timestamptz) to akashi_worker;
grant execute on function akashi_lifecycle.drain_default(regclass, integer), akashi_lifecycle.default_partition(regclass) to akashi_worker;
grant select on akashi_lifecycle.partition_headroom to akashi_worker, akashi_security_admin, akashi_reader;
