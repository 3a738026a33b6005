-- Partitions are made ahead of time by policy. A partition is created LIKE its parent and attached, which
-- takes only SHARE UPDATE EXCLUSIVE on the parent; CREATE TABLE … PARTITION OF would lock out writers.
set local role akashi_owner;

create table lifecycle.policies (
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
  primary key (schema_name, table_name),
  check (total_retention >= hot_retention)
);
comment on table lifecycle.policies is
  'One row per partitioned table: how it is cut, how far ahead, how long hot, what then, how long in all.';
comment on column lifecycle.policies.premake is 'Partitions that exist ahead of the current one.';
comment on column lifecycle.policies.at_expiry is
  'archive: exported, verified, dropped; retire: dropped with a signed retention record; keep: stays.';

alter table lifecycle.policies enable row level security;
alter table lifecycle.policies force row level security;
create policy policies_read on lifecycle.policies for select
  to akashi_app, akashi_worker, akashi_reader, akashi_security_admin using (true);
create policy policies_owner on lifecycle.policies to akashi_owner using (true) with check (true);
grant select on lifecycle.policies to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;
create trigger update_updated_at before update on lifecycle.policies
  for each row execute function auth.update_updated_at();

-- Refuses whatever would change or remove a row. Statement triggers fire only on the table that a
-- statement names, so every partition has its own, and keeps it when it is detached.
create function audit.refuse_change() returns trigger
  language plpgsql set search_path = '' as $$
begin
  raise exception 'rows of %.% cannot be changed or removed: % refused', tg_table_schema, tg_table_name, lower(tg_op)
    using errcode = 'AK001',
          hint = 'the record is append-only; retention removes whole partitions, with a signed record';
end
$$;

create function audit.guard(target regclass) returns void
  language plpgsql set search_path = '' as $$
begin
  execute format('create or replace trigger refuse_change before update or delete or truncate on %s
    for each statement execute function audit.refuse_change()', target);
  execute format('alter table %s enable always trigger refuse_change', target);
end
$$;
comment on function audit.guard(regclass) is 'Makes a table append-only: UPDATE, DELETE and TRUNCATE are refused, also for its owner.';

-- Bounds are UTC days and months, so daylight saving never moves them.
create function lifecycle.partition_from(at timestamptz, step text) returns timestamptz
  language sql stable set search_path = '' as $$
  select date_trunc(step, at at time zone 'UTC') at time zone 'UTC'
$$;

create function lifecycle.partition_to(at timestamptz, step text) returns timestamptz
  language sql stable set search_path = '' as $$
  select (date_trunc(step, at at time zone 'UTC') + ('1 ' || step)::interval) at time zone 'UTC'
$$;

create function lifecycle.partition_name(parent text, at timestamptz, step text) returns text
  language sql stable set search_path = '' as $$
  select parent || case step when 'day' then to_char(at at time zone 'UTC', '"_p"YYYYMMDD')
                             else to_char(at at time zone 'UTC', '_YYYY_MM') end
$$;
comment on function lifecycle.partition_name(text, timestamptz, text) is
  'audit_logs_2026_11 for months (S1, S3), security_events_p20261121 for days (S4).';

-- What one partition's bounds are, read from the catalog; null for a default partition.
create function lifecycle.partition_bounds(partition regclass, out lower timestamptz, out upper timestamptz)
  language plpgsql stable set search_path = '' set timezone = 'UTC' as $$
declare
  bound text[] := regexp_match(
    (select pg_get_expr(relpartbound, oid) from pg_catalog.pg_class where oid = partition),
    $re$^FOR VALUES FROM \((?:'([^']*)'|(MINVALUE))\) TO \((?:'([^']*)'|(MAXVALUE))\)$re$);
begin
  lower := coalesce(bound[1], case when bound[2] is not null then '-infinity' end)::timestamptz;
  upper := coalesce(bound[3], case when bound[4] is not null then 'infinity' end)::timestamptz;
end
$$;

create type lifecycle.partition_action as (
  schema_name text, table_name text, partition_name text, action text, lower timestamptz, upper timestamptz, message text
);

-- Makes the partition that holds `at`. Answers null when the range is covered already.
create function lifecycle.create_partition(parent regclass, at timestamptz) returns text
  language plpgsql security definer set search_path = '' set timezone = 'UTC' set lock_timeout = '100ms' as $$
declare
  policy lifecycle.policies;
  parent_schema text;
  parent_name text;
  child_name text;
  child text;
  lower_bound timestamptz;
  upper_bound timestamptz;
begin
  select n.nspname, c.relname into parent_schema, parent_name
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = parent;
  select * into policy from lifecycle.policies p where p.schema_name = parent_schema and p.table_name = parent_name;
  if not found then
    raise exception '%.% has no lifecycle policy', parent_schema, parent_name
      using errcode = 'undefined_object', hint = 'add a row to lifecycle.policies first';
  end if;
  lower_bound := lifecycle.partition_from(at, policy.interval);
  upper_bound := lifecycle.partition_to(at, policy.interval);
  -- One maker at a time per table: two would both find the gap and one of them fail.
  perform pg_advisory_xact_lock(hashtextextended('akashi.partitions', parent::oid::bigint));
  if exists (
    select from pg_catalog.pg_inherits i, lifecycle.partition_bounds(i.inhrelid::regclass) b
    where i.inhparent = parent and b.lower < upper_bound and b.upper > lower_bound
  ) then
    return null;
  end if;
  child_name := lifecycle.partition_name(parent_name, lower_bound, policy.interval);
  child := format('%I.%I', parent_schema, child_name);
  execute format('create table %s (like %s including defaults including constraints including generated including storage)',
    child, parent);
  -- The constraint lets ATTACH skip its scan and is dropped again as redundant.
  execute format('alter table %s add constraint bounds check (created_at >= %L and created_at < %L)', child, lower_bound, upper_bound);
  execute format('alter table %s enable row level security', child);
  execute format('alter table %s force row level security', child);
  execute format('revoke all on %s from public', child);
  if policy.append_only then
    perform audit.guard(child::regclass);
  end if;
  execute format('alter table %s attach partition %s for values from (%L) to (%L)', parent, child, lower_bound, upper_bound);
  execute format('alter table %s drop constraint bounds', child);
  return child_name;
end
$$;
comment on function lifecycle.create_partition(regclass, timestamptz) is
  'Makes and attaches the partition of a table that holds a moment, guarded like its parent; null when it is there already.';

-- What is missing between the current partition and the one `premake` steps ahead.
create function lifecycle.plan_partitions(as_of timestamptz default now()) returns setof lifecycle.partition_action
  language sql stable security definer set search_path = '' set timezone = 'UTC' as $$
  select p.schema_name, p.table_name, lifecycle.partition_name(p.table_name, step.at, p.interval), 'create',
         step.at, lifecycle.partition_to(step.at, p.interval), null::text
  from lifecycle.policies p
  cross join lateral (
    select (lifecycle.partition_from(as_of, p.interval) at time zone 'UTC' + n * ('1 ' || p.interval)::interval) at time zone 'UTC' as at
    from generate_series(0, p.premake) n
  ) step
  where to_regclass(format('%I.%I', p.schema_name, p.table_name)) is not null
    and not exists (
      select from pg_catalog.pg_inherits i, lifecycle.partition_bounds(i.inhrelid::regclass) b
      where i.inhparent = to_regclass(format('%I.%I', p.schema_name, p.table_name))
        and b.lower <= step.at and b.upper > step.at
    )
  order by 1, 2, 5
$$;

-- Carries the plan out. One table's failure is its own row with the reason and stops no other.
create function lifecycle.apply_partitions(as_of timestamptz default now()) returns setof lifecycle.partition_action
  language plpgsql security definer set search_path = '' as $$
declare
  step lifecycle.partition_action;
begin
  for step in select * from lifecycle.plan_partitions(as_of) loop
    begin
      if lifecycle.create_partition(format('%I.%I', step.schema_name, step.table_name)::regclass, step.lower) is not null then
        step.action := 'created';
      else
        -- Somebody else made it meanwhile, or a partition of other bounds is in the way.
        select format('partition %s covers a part of it', i.inhrelid::regclass) into step.message
        from pg_catalog.pg_inherits i, lifecycle.partition_bounds(i.inhrelid::regclass) b
        where i.inhparent = format('%I.%I', step.schema_name, step.table_name)::regclass
          and b.lower < step.upper and b.upper > step.lower
          and not (b.lower <= step.lower and b.upper >= step.upper)
        order by b.lower limit 1;
        step.action := case when step.message is null then 'exists' else 'failed' end;
      end if;
    exception when others then
      step.action := 'failed';
      step.message := sqlerrm;
    end;
    return next step;
  end loop;
end
$$;

-- Partitions over a declared range of old or future dates, e.g. before a log of another year is taken in.
create function lifecycle.create_partitions(parent regclass, range_from timestamptz, range_to timestamptz)
  returns integer language plpgsql security definer set search_path = '' set timezone = 'UTC' as $$
declare
  max_partitions constant integer := 4000;
  step text;
  at timestamptz;
  made integer := 0;
begin
  select p.interval into step from lifecycle.policies p
  where to_regclass(format('%I.%I', p.schema_name, p.table_name)) = parent;
  if not found then
    raise exception '% has no lifecycle policy', parent
      using errcode = 'undefined_object', hint = 'add a row to lifecycle.policies first';
  end if;
  if not (isfinite(range_from) and isfinite(range_to) and range_from <= range_to) then
    raise exception 'the range % to % is not a range of time', range_from, range_to using errcode = 'invalid_parameter_value';
  end if;
  at := lifecycle.partition_from(range_from, step);
  while at <= range_to loop
    if lifecycle.create_partition(parent, at) is not null then
      made := made + 1;
      if made > max_partitions then
        raise exception 'the range % to % needs more than % partitions', range_from, range_to, max_partitions
          using errcode = 'program_limit_exceeded', hint = 'take it in in smaller ranges';
      end if;
    end if;
    at := lifecycle.partition_to(at, step);
  end loop;
  return made;
end
$$;

-- Where each table stands: the alarm rings while there is still room.
create view lifecycle.partition_headroom with (security_invoker = true) as
  select p.schema_name, p.table_name, p.interval, p.premake, count(b.upper) as partitions,
         max(b.upper) filter (where isfinite(b.upper)) as covered_until,
         max(b.upper) filter (where isfinite(b.upper)) - now() as headroom
  from lifecycle.policies p
  left join pg_catalog.pg_inherits i on i.inhparent = to_regclass(format('%I.%I', p.schema_name, p.table_name))
  left join lateral lifecycle.partition_bounds(i.inhrelid::regclass) b on true
  group by p.schema_name, p.table_name, p.interval, p.premake;

grant execute on function lifecycle.partition_bounds(regclass), lifecycle.partition_from(timestamptz, text),
  lifecycle.partition_to(timestamptz, text), lifecycle.partition_name(text, timestamptz, text)
  to akashi_app, akashi_worker, akashi_reader, akashi_security_admin;
grant execute on function lifecycle.plan_partitions(timestamptz), lifecycle.apply_partitions(timestamptz),
  lifecycle.create_partitions(regclass, timestamptz, timestamptz) to akashi_worker;
grant select on lifecycle.partition_headroom to akashi_worker, akashi_security_admin, akashi_reader;
