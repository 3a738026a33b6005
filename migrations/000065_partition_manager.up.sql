-- Gaps are filled whatever stands beside them, rows of a default partition move out in batches, and a table
-- that cannot be planned is a row of the plan.
set local role akashi_owner;

-- Bounds that are no times (a table of another kind under a policy) are none.
create or replace function lifecycle.partition_bounds(partition regclass, out lower timestamptz, out upper timestamptz)
  language plpgsql stable set search_path = '' set timezone = 'UTC' as $$
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

-- The default partition of a table; null where it has none.
create function lifecycle.default_partition(parent regclass) returns regclass
  language sql stable set search_path = '' as $$
  select nullif(p.partdefid, 0)::regclass from pg_catalog.pg_partitioned_table p where p.partrelid = parent
$$;

-- What of a range has no partition.
create function lifecycle.uncovered(parent regclass, range_from timestamptz, range_to timestamptz) returns tstzmultirange
  language sql stable set search_path = '' as $$
  select tstzmultirange(tstzrange(range_from, range_to))
    - coalesce((select range_agg(tstzrange(b.lower, b.upper))
                from pg_catalog.pg_inherits i, lifecycle.partition_bounds(i.inhrelid::regclass) b
                where i.inhparent = parent and b.lower < b.upper), '{}')
$$;

-- A part of a period is named for its beginning, too.
create function lifecycle.piece_name(parent text, step text, piece tstzrange) returns text
  language sql stable set search_path = '' as $$
  select lifecycle.partition_name(parent, lower(piece), step)
    || case when lower(piece) = lifecycle.partition_from(lower(piece), step)
                 and upper(piece) = lifecycle.partition_to(lower(piece), step) then ''
            else to_char(lower(piece) at time zone 'UTC',
              case step when 'day' then '"_"HH24MISS' else '"_"DDHH24MISS' end
              || case when date_trunc('second', lower(piece)) = lower(piece) then '' else 'US' end) end
$$;

create function lifecycle.policy_of(parent regclass) returns lifecycle.policies
  language plpgsql stable set search_path = '' as $$
declare
  policy lifecycle.policies;
begin
  select p.* into policy from lifecycle.policies p
  join pg_catalog.pg_namespace n on n.nspname = p.schema_name
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
  where c.oid = parent;
  if not found then
    raise exception '% has no lifecycle policy', parent
      using errcode = 'undefined_object', hint = 'akashi archive policy set gives it one';
  end if;
  return policy;
end
$$;

-- A table like its parent, within bounds, not yet attached.
create function lifecycle.prepare_partition(parent regclass, name text, lower_bound timestamptz, upper_bound timestamptz)
  returns regclass language plpgsql set search_path = '' set timezone = 'UTC' as $$
declare
  policy constant lifecycle.policies := lifecycle.policy_of(parent);
  child constant text := format('%I.%I', policy.schema_name, name);
begin
  execute format('create table %s (like %s including defaults including constraints including generated including storage)',
    child, parent);
  -- The constraint lets ATTACH skip its scan and is dropped again as redundant.
  execute format('alter table %s add constraint bounds check (created_at >= %L and created_at < %L)', child, lower_bound, upper_bound);
  return child::regclass;
end
$$;

create function lifecycle.attach_prepared(parent regclass, child regclass, lower_bound timestamptz, upper_bound timestamptz)
  returns void language plpgsql set search_path = '' set timezone = 'UTC' as $$
declare
  policy constant lifecycle.policies := lifecycle.policy_of(parent);
  protection audit.protected_tables;
begin
  execute format('alter table %s enable row level security', child);
  execute format('alter table %s force row level security', child);
  execute format('revoke all on %s from public', child);
  if policy.append_only then
    perform audit.guard(child);
  end if;
  select * into protection from audit.protected_tables p where p.schema_name = policy.schema_name and p.table_name = policy.table_name;
  if found then
    perform audit.attach_triggers(child, protection);
  end if;
  execute format('alter table %s attach partition %s for values from (%L) to (%L)', parent, child, lower_bound, upper_bound);
  execute format('alter table %s drop constraint bounds', child);
end
$$;

-- Makes and attaches a partition of exactly these bounds. Answers null when something of the range is covered.
create function lifecycle.make_partition(parent regclass, name text, lower_bound timestamptz, upper_bound timestamptz)
  returns text language plpgsql security definer set search_path = '' set timezone = 'UTC' set lock_timeout = '100ms' as $$
begin
  -- One maker at a time per table: two would both find the gap and one of them fail.
  perform pg_advisory_xact_lock(hashtextextended('akashi.partitions', parent::oid::bigint));
  if lifecycle.uncovered(parent, lower_bound, upper_bound) <> tstzmultirange(tstzrange(lower_bound, upper_bound)) then
    return null;
  end if;
  perform lifecycle.attach_prepared(parent, lifecycle.prepare_partition(parent, name, lower_bound, upper_bound), lower_bound, upper_bound);
  return name;
end
$$;

-- Makes the partition that holds `at`, as much of its period as no other partition has. Null when one has it.
create or replace function lifecycle.create_partition(parent regclass, at timestamptz) returns text
  language plpgsql security definer set search_path = '' set timezone = 'UTC' set lock_timeout = '100ms' as $$
declare
  policy constant lifecycle.policies := lifecycle.policy_of(parent);
  piece tstzrange;
begin
  perform pg_advisory_xact_lock(hashtextextended('akashi.partitions', parent::oid::bigint));
  select p into piece
  from unnest(lifecycle.uncovered(parent, lifecycle.partition_from(at, policy.interval), lifecycle.partition_to(at, policy.interval))) p
  where p @> at;
  if not found then
    return null;
  end if;
  return lifecycle.make_partition(parent, lifecycle.piece_name(policy.table_name, policy.interval, piece), lower(piece), upper(piece));
end
$$;

-- What one table is missing between the current partition and the one `premake` steps ahead.
create function lifecycle.missing_partitions(parent regclass, as_of timestamptz) returns setof lifecycle.partition_action
  language plpgsql stable set search_path = '' set timezone = 'UTC' as $$
declare
  policy constant lifecycle.policies := lifecycle.policy_of(parent);
  fallback constant regclass := lifecycle.default_partition(parent);
  begins constant timestamptz := lifecycle.partition_from(as_of, policy.interval);
  ends constant timestamptz := lifecycle.partition_to(
    (begins at time zone 'UTC' + policy.premake * ('1 ' || policy.interval)::interval) at time zone 'UTC', policy.interval);
  missing constant tstzmultirange := lifecycle.uncovered(parent, begins, ends);
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
      format('about %s rows of the default partition get partitions of their own', greatest(c.reltuples, 0)::bigint)
    from pg_catalog.pg_class c where c.oid = fallback;
  end if;
  -- With rows left in a default partition those that it has no row of can be made all the same.
  return query
    select policy.schema_name, policy.table_name, lifecycle.piece_name(policy.table_name, policy.interval, piece), 'create',
           lower(piece), upper(piece), null::text
    from generate_series(0, policy.premake) n
    cross join lateral (
      select (begins at time zone 'UTC' + n * ('1 ' || policy.interval)::interval) at time zone 'UTC' as at
    ) step
    cross join lateral unnest(missing * tstzmultirange(tstzrange(step.at, lifecycle.partition_to(step.at, policy.interval)))) piece
    order by lower(piece);
end
$$;

create or replace function lifecycle.plan_partitions(as_of timestamptz default now()) returns setof lifecycle.partition_action
  language plpgsql stable security definer set search_path = '' set timezone = 'UTC' as $$
declare
  policy lifecycle.policies;
  parent regclass;
begin
  for policy in select * from lifecycle.policies p order by p.schema_name, p.table_name loop
    parent := to_regclass(format('%I.%I', policy.schema_name, policy.table_name));
    continue when parent is null;
    begin
      return query select * from lifecycle.missing_partitions(parent, as_of);
    exception when others then
      return next (policy.schema_name, policy.table_name, policy.table_name, 'failed', null, null, sqlerrm)::lifecycle.partition_action;
    end;
  end loop;
end
$$;

-- Carries the plan out. One table's failure is its own row with the reason and stops no other.
create or replace function lifecycle.apply_partitions(as_of timestamptz default now()) returns setof lifecycle.partition_action
  language plpgsql security definer set search_path = '' as $$
declare
  step lifecycle.partition_action;
begin
  for step in select * from lifecycle.plan_partitions(as_of) loop
    if step.action = 'create' then
      begin
        -- Somebody else may have made it meanwhile.
        step.action := case when lifecycle.make_partition(format('%I.%I', step.schema_name, step.table_name)::regclass,
          step.partition_name, step.lower, step.upper) is null then 'exists' else 'created' end;
      exception when others then
        step.action := 'failed';
        step.message := sqlerrm;
      end;
    end if;
    return next step;
  end loop;
end
$$;

-- Gives the oldest rows of a default partition a partition of their own: a whole period, or as much of one as
-- has no more than `batch` rows, so that a lock is held only as long as these take. They move in one
-- transaction, so that every snapshot has each row once. Without rows the default partition is detached.
create function lifecycle.drain_default(parent regclass, batch integer, out action text, out partition_name text,
  out lower timestamptz, out upper timestamptz, out moved bigint)
  language plpgsql security definer set search_path = '' set timezone = 'UTC' set lock_timeout = '100ms' as $$
declare
  policy constant lifecycle.policies := lifecycle.policy_of(parent);
  fallback constant regclass := lifecycle.default_partition(parent);
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
    raise exception 'a batch has a row at least' using errcode = 'invalid_parameter_value';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('akashi.partitions', parent::oid::bigint));
  partition_name := (select c.relname from pg_catalog.pg_class c where c.oid = fallback);
  -- A reader that waits for the default partition alone has already listed the partitions, and would miss the new one.
  execute format('lock table only %s in access exclusive mode', parent);
  execute format('lock table only %s in access exclusive mode', fallback);
  hidden := row_security_active(fallback);
  if hidden then
    execute format('create policy akashi_drain on %s to akashi_owner using (true) with check (true)', fallback);
  end if;
  perform audit.assert_unfiltered(fallback);
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
      using errcode = 'AK003', hint = 'give them a time, or remove them';
  end if;
  -- Whatever is in the default partition is in no other, so the piece that holds its oldest row is uncovered.
  select p into piece
  from unnest(lifecycle.uncovered(parent, lifecycle.partition_from(oldest, policy.interval), lifecycle.partition_to(oldest, policy.interval))) p
  where p @> oldest;
  execute format('select created_at from only %s where created_at < %L order by created_at offset %s limit 1', fallback, upper(piece), batch)
    into ends;
  if ends = oldest then
    execute format('select min(created_at) from only %s where created_at > %L and created_at < %L', fallback, ends, upper(piece)) into ends;
  end if;
  piece := tstzrange(lower(piece), coalesce(ends, upper(piece)));
  partition_name := lifecycle.piece_name(policy.table_name, policy.interval, piece);
  child := lifecycle.prepare_partition(parent, partition_name, lower(piece), upper(piece));
  select string_agg(format('%I', a.attname), ', ' order by a.attnum) into list from pg_catalog.pg_attribute a
  where a.attrelid = fallback and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
  execute format('insert into %s (%s) select %s from only %s where created_at >= %L and created_at < %L',
    child, list, list, fallback, lower(piece), upper(piece));
  get diagnostics moved = row_count;
  -- The rows do not change, so nothing is to be recorded or refused.
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
  perform lifecycle.attach_prepared(parent, child, lower(piece), upper(piece));
  action := 'drained';
  lower := lower(piece);
  upper := upper(piece);
end
$$;
comment on function lifecycle.drain_default(regclass, integer, out text, out text, out timestamptz, out timestamptz, out bigint) is
  'Moves up to about a batch of rows out of a default partition; detaches it once it is empty. Call it until it says detached.';

grant execute on function lifecycle.drain_default(regclass, integer), lifecycle.default_partition(regclass) to akashi_worker;
