-- Policies are changed by a function that checks them, says who changed what and why, and is for those who
-- administer; the trail records the row itself too.
set local role akashi_owner;

-- The moment up to which rows are kept; no table is kept for shorter than its time in PostgreSQL.
create function lifecycle.set_policy(schema_name text, table_name text, changes jsonb, reason text default null)
  returns lifecycle.policies language plpgsql security definer set search_path = '' set timezone = 'UTC' as $$
#variable_conflict use_column
declare
  known constant text[] := array['interval', 'premake', 'hot_retention', 'at_expiry', 'total_retention', 'lateness', 'format'];
  -- The alarm rings below 7 days or 1 month: what is kept ahead is more.
  least_days constant integer := 8;
  least_months constant integer := 2;
  most_steps constant integer := 1200;
  target constant regclass := to_regclass(format('%I.%I', set_policy.schema_name, set_policy.table_name));
  before lifecycle.policies;
  changed lifecycle.policies;
  wrong text;
begin
  if target is null then
    raise exception 'there is no table %.%', set_policy.schema_name, set_policy.table_name using errcode = 'undefined_object';
  end if;
  if jsonb_typeof(changes) is distinct from 'object' or changes = '{}' then
    raise exception 'nothing is to be changed' using errcode = 'invalid_parameter_value',
      hint = 'name one of ' || array_to_string(known, ', ');
  end if;
  select key into wrong from jsonb_each(changes) where key <> all (known) order by key limit 1;
  if found then
    raise exception 'a policy has no % to change', wrong using errcode = 'invalid_parameter_value',
      hint = 'it has ' || array_to_string(known, ', ') || '; lifecycle.hold() is for legal hold';
  end if;
  select * into before from lifecycle.policies p
  where (p.schema_name, p.table_name) = (set_policy.schema_name, set_policy.table_name) for update;
  if not found then
    if not (changes ?& array['interval', 'hot_retention', 'at_expiry', 'total_retention']) then
      raise exception '%.% has no lifecycle policy', set_policy.schema_name, set_policy.table_name
        using errcode = 'undefined_object',
              hint = 'a new one takes interval, hot_retention, at_expiry and total_retention';
    end if;
    if not exists (
      select from pg_catalog.pg_partitioned_table t
      join pg_catalog.pg_attribute a on a.attrelid = t.partrelid and a.attnum = t.partattrs[0]
      where t.partrelid = target and t.partstrat = 'r' and t.partnatts = 1 and a.attname = 'created_at'
    ) then
      raise exception '% is not partitioned by range of created_at', target using errcode = 'wrong_object_type';
    end if;
    if (select c.relowner from pg_catalog.pg_class c where c.oid = target) <> 'akashi_owner'::regrole then
      raise exception '% is not owned by akashi_owner, who makes and detaches partitions', target
        using errcode = 'AK003', hint = format('alter table %s owner to akashi_owner', target);
    end if;
    before := jsonb_populate_record(null::lifecycle.policies, jsonb_build_object('schema_name', set_policy.schema_name,
      'table_name', set_policy.table_name, 'append_only', false, 'legal_hold', false, 'lateness', '1 day', 'format', 'parquet',
      'premake', case changes ->> 'interval' when 'month' then 3 else 30 end, 'created_at', now(), 'updated_at', now()));
    insert into lifecycle.policies select (jsonb_populate_record(before, changes)).*;
  elsif changes ? 'interval' and changes ->> 'interval' <> before.interval then
    raise exception 'the interval of %.% cannot be changed: its partitions are cut by it', set_policy.schema_name, set_policy.table_name
      using errcode = 'AK003';
  end if;
  changed := jsonb_populate_record(before, changes);
  if not (changed.premake between case changed.interval when 'day' then least_days else least_months end and most_steps) then
    raise exception 'partitions are made % to % % ahead', case changed.interval when 'day' then least_days else least_months end,
      most_steps, changed.interval || 's' using errcode = 'invalid_parameter_value';
  end if;
  if changed.at_expiry not in ('archive', 'retire', 'keep') then
    raise exception 'at its expiry a partition is archived, retired or kept, not %', changed.at_expiry
      using errcode = 'invalid_parameter_value';
  end if;
  if changed.hot_retention < '1 day' then
    raise exception 'rows stay in PostgreSQL for a day at least' using errcode = 'invalid_parameter_value';
  end if;
  if changed.total_retention < changed.hot_retention then
    raise exception 'rows are kept at least as long as they stay in PostgreSQL: % is shorter than %',
      changed.total_retention, changed.hot_retention using errcode = 'invalid_parameter_value';
  end if;
  if changed.lateness < '0' or changed.format not in ('parquet', 'parquet+csv') or changed.interval not in ('day', 'month') then
    raise exception 'the policy is not one' using errcode = 'invalid_parameter_value',
      hint = 'interval is day or month, lateness not negative, format parquet or parquet+csv';
  end if;
  update lifecycle.policies p
  set premake = changed.premake, hot_retention = changed.hot_retention, at_expiry = changed.at_expiry,
      total_retention = changed.total_retention, lateness = changed.lateness, format = changed.format,
      last_modified_by = coalesce(auth.current_user_id()::text, session_user)
  where (p.schema_name, p.table_name) = (set_policy.schema_name, set_policy.table_name)
  returning * into changed;
  perform audit.record_action('lifecycle_policy', 'set', format('%I.%I', set_policy.schema_name, set_policy.table_name), null, 'SUCCESS',
    jsonb_strip_nulls(jsonb_build_object('changes', changes, 'before',
      (select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(before)) where changes ? key), 'reason', reason)));
  return changed;
end
$$;
comment on function lifecycle.set_policy(text, text, jsonb, text) is
  'Changes what is named of a table''s policy, or gives a partitioned table one; refuses what contradicts itself, and records who and why.';
grant execute on function lifecycle.set_policy(text, text, jsonb, text) to akashi_worker, akashi_security_admin;
