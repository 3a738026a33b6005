-- The partition manager as it was before: gaps behind odd partitions, and no drain.
set local role akashi_owner;

drop function lifecycle.drain_default(regclass, integer);
create or replace function lifecycle.partition_bounds(partition regclass, out lower timestamptz, out upper timestamptz)
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

create or replace function lifecycle.create_partition(parent regclass, at timestamptz) returns text
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

create or replace function lifecycle.plan_partitions(as_of timestamptz default now()) returns setof lifecycle.partition_action
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

create or replace function lifecycle.apply_partitions(as_of timestamptz default now()) returns setof lifecycle.partition_action
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

drop function lifecycle.missing_partitions(regclass, timestamptz);
drop function lifecycle.make_partition(regclass, text, timestamptz, timestamptz);
drop function lifecycle.attach_prepared(regclass, regclass, timestamptz, timestamptz);
drop function lifecycle.prepare_partition(regclass, text, timestamptz, timestamptz);
drop function lifecycle.policy_of(regclass);
drop function lifecycle.piece_name(text, text, tstzrange);
drop function lifecycle.uncovered(regclass, timestamptz, timestamptz);
drop function lifecycle.default_partition(regclass);
