-- Tables protected with on_failure => record_loss keep being audited, and fail again when they cannot be.
set local role akashi_owner;
delete from lifecycle.jobs where name = 'audit-losses';
drop function audit.settle_losses(text, timestamptz);
drop function audit.report_losses();
drop function audit.unprotect_missing(text, text);
drop function audit.protect(regclass, text, text, jsonb, text[], text);
drop function audit.primary_key(oid);
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

create or replace function audit.trigger_problems(log text) returns table ("table" text, problem text)
  language sql stable security definer set search_path = '' as $$
  with guarded as (
    select part.relid::oid as relid, null::text as name, 'refuse_change' as trigger_name,
           'audit.refuse_change'::regproc::oid as function, '' ::bytea as arguments
    from lifecycle.policies p
    cross join lateral pg_catalog.pg_partition_tree(to_regclass(format('%I.%I', p.schema_name, p.table_name))) part
    where p.append_only and p.table_name = log
    union all
    select to_regclass(own.name), own.name, own.trigger_name, own.function::regproc, ''
    from (values ('audit.ledger_entries', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_checkpoints', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_epochs', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_cosignatures', 'refuse_change', 'audit.refuse_change'),
                 ('audit.retention_records', 'refuse_change', 'audit.refuse_change'),
                 ('audit.verifications', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_tiles', 'keep_tile', 'audit.keep_tile'),
                 ('audit.ledger_heads', 'keep_head', 'audit.keep_head')) as own (name, trigger_name, function)
  ), recorded as (
    select part.relid::oid, format('%I.%I', p.schema_name, p.table_name), 'akashi_audit_' || event, 'audit.log_changes'::regproc,
           (select string_agg(convert_to(argument, 'UTF8') || '\x00'::bytea, ''::bytea order by place)
            from unnest(array[p.classification, p.key_columns::text, coalesce(p.subject_column, ''), p.ignored_columns::text,
                              p.digest_columns::text, p.omitted_columns::text]) with ordinality as a (argument, place))
    from audit.protected_tables p
    -- By the catalog: to_regclass refuses names in schemas that this function's owner may not use.
    left join lateral (
      select c.oid as named from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = p.schema_name and c.relname = p.table_name
    ) own on true
    cross join lateral (select relid from pg_catalog.pg_partition_tree(own.named::regclass) union select own.named) part
    cross join unnest(array['insert', 'update', 'delete', 'truncate']) event
    where log = 'audit_logs'
  ), expected as (
    select * from guarded union all select * from recorded
  )
  select coalesce(n.nspname || '.' || c.relname, e.name),
         case when c.oid is null then 'the table is gone'
              when t.oid is null then format('trigger %s is missing', e.trigger_name)
              when t.tgenabled = 'D' then format('trigger %s is disabled', e.trigger_name)
              when t.tgenabled <> 'A' then format('trigger %s does not fire in every session', e.trigger_name)
              else format('trigger %s is not the one that protect made', e.trigger_name) end
  from expected e
  left join pg_catalog.pg_class c on c.oid = e.relid
  left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_trigger t on t.tgrelid = e.relid and t.tgname = e.trigger_name and not t.tgisinternal
  where t.oid is null or t.tgenabled <> 'A' or t.tgfoid <> e.function or t.tgargs <> e.arguments
$$;

create or replace function audit.log_changes() returns trigger
  language plpgsql security definer
  set search_path = '' set timezone = 'UTC' set datestyle = 'ISO, YMD' set intervalstyle = 'iso_8601'
  set bytea_output = 'hex' set extra_float_digits = '1' set lc_monetary = 'C' as $$
declare
  who            constant audit.request_context := audit.request_context();
  classification constant text := tg_argv[0];
  key_columns    constant text[] := tg_argv[1];
  key_column     constant text := case when cardinality(key_columns) = 1 then key_columns[1] end;
  subject_column constant text := nullif(tg_argv[2], '');
  ignored        constant text[] := tg_argv[3];
  digested       constant text[] := tg_argv[4];
  omitted        constant text[] := tg_argv[5];
  redacted       constant boolean := cardinality(digested) + cardinality(omitted) > 0;
begin
  if tg_op = 'INSERT' then
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, new_values)
    select who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.api_endpoint, who.request_id,
      who.trace_id, who.correlation_id, who.application_version, who.tenant_id, classification, tg_table_schema, tg_table_name,
      'insert', 'INSERT', coalesce(n ->> key_column, audit.composite_key(n, key_columns)), n ->> subject_column,
      case when redacted then audit.redact(n, n ->> subject_column, digested, omitted) else n end
    from (select to_jsonb(r.*) as n from new_rows r) rows;
  elsif tg_op = 'UPDATE' then
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, old_values, new_values, changed_fields, detail)
    select who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.api_endpoint, who.request_id,
      who.trace_id, who.correlation_id, who.application_version, who.tenant_id, classification, tg_table_schema, tg_table_name,
      'update', 'UPDATE', coalesce(n ->> key_column, audit.composite_key(n, key_columns)),
      coalesce(n ->> subject_column, o ->> subject_column),
      case when redacted then audit.redact(diff.old_values, o ->> subject_column, digested, omitted) else diff.old_values end,
      case when redacted then audit.redact(n, n ->> subject_column, digested, omitted) else n end,
      diff.fields,
      case when diff.fields && key_columns
        then jsonb_build_object('previous_record_id', coalesce(o ->> key_column, audit.composite_key(o, key_columns))) end
    from (select to_jsonb(r.*) as o, row_number() over () as place from old_rows r) before
    join (select to_jsonb(r.*) as n, row_number() over () as place from new_rows r) after using (place)
    cross join lateral (
      select array_agg(key order by key collate "C") as fields, jsonb_object_agg(key, o -> key) as old_values
      from jsonb_each(n) field
      where field.value is distinct from o -> key
    ) diff
    where not diff.fields <@ ignored;
  elsif tg_op = 'DELETE' then
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation, record_id, data_subject, old_values)
    select who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.api_endpoint, who.request_id,
      who.trace_id, who.correlation_id, who.application_version, who.tenant_id, classification, tg_table_schema, tg_table_name,
      'delete', 'DELETE', coalesce(o ->> key_column, audit.composite_key(o, key_columns)), o ->> subject_column,
      case when redacted then audit.redact(o, o ->> subject_column, digested, omitted) else o end
    from (select to_jsonb(r.*) as o from old_rows r) rows;
  else
    insert into audit.audit_logs (user_id, session_id, subject, ip_address, user_agent, context_verified, api_endpoint, request_id,
      trace_id, correlation_id, application_version, tenant_id, data_classification, schema_name, table_name,
      action, operation)
    values (who.user_id, who.session_id, who.subject, who.ip_address, who.user_agent, who.verified, who.api_endpoint, who.request_id,
      who.trace_id, who.correlation_id, who.application_version, who.tenant_id, classification, tg_table_schema, tg_table_name,
      'truncate', 'TRUNCATE');
  end if;
  return null;
end
$$;

create or replace function audit.attach_triggers(target regclass, policy audit.protected_tables)
  returns void language plpgsql set search_path = '' as $$
declare
  arguments constant text := format('(%L, %L, %L, %L, %L, %L)', policy.classification, policy.key_columns,
    coalesce(policy.subject_column, ''), policy.ignored_columns, policy.digest_columns, policy.omitted_columns);
  event record;
begin
  for event in
    select * from (values
      ('insert',   'referencing new table as new_rows'),
      ('update',   'referencing old table as old_rows new table as new_rows'),
      ('delete',   'referencing old table as old_rows'),
      ('truncate', '')
    ) as events (name, referencing)
  loop
    execute format('create or replace trigger akashi_audit_%s after %s on %s %s for each statement execute function audit.log_changes%s',
      event.name, event.name, target, event.referencing, arguments);
    execute format('alter table %s enable always trigger akashi_audit_%s', target, event.name);
  end loop;
end
$$;

create function audit.protect(
  target regclass,
  classification text default 'internal',
  subject text default null,
  columns jsonb default '{}',
  ignore text[] default '{}'
) returns void
  language plpgsql set search_path = '' as $$
declare
  policy audit.protected_tables;
  kind "char";
  missing text;
  part regclass;
begin
  select c.relkind, n.nspname, c.relname into kind, policy.schema_name, policy.table_name
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = target;
  if kind is distinct from 'r' and kind is distinct from 'p' then
    raise exception '% is no table', target using errcode = 'wrong_object_type', hint = 'only tables can be put under audit';
  end if;
  if policy.schema_name in ('pg_catalog', 'information_schema')
     or (policy.schema_name = 'audit' and policy.table_name <> 'protected_tables') then
    raise exception '% cannot be put under audit', target using errcode = 'wrong_object_type',
      hint = 'the trail, the ledger and the catalogs watch themselves by other means';
  end if;
  select array_agg(a.attname::text order by k.place) into policy.key_columns
  from pg_catalog.pg_index i
  cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (attnum, place)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = target and i.indisprimary and k.place <= i.indnkeyatts;
  if policy.key_columns is null then
    raise exception '% has no primary key', target using errcode = 'invalid_table_definition',
      hint = 'give it a primary key first: without one a record cannot be followed';
  end if;
  select string_agg(wanted, ', ') into missing
  from (select unnest(ignore || subject) union select jsonb_object_keys(columns)) as named (wanted)
  where wanted is not null and not exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = target and a.attname = wanted and a.attnum > 0 and not a.attisdropped);
  if missing is not null then
    raise exception '% has no column %', target, missing using errcode = 'undefined_column';
  end if;
  select string_agg(format('%s is %s', key, value), ', ') into missing
  from jsonb_each_text(columns) where value not in ('plain', 'digest', 'omit');
  if missing is not null then
    raise exception 'columns may be plain, digest or omit: %', missing using errcode = 'invalid_parameter_value';
  end if;
  if policy.key_columns && array(select key from jsonb_each_text(columns) where value <> 'plain') then
    raise exception 'the key of % cannot be digested or omitted', target using errcode = 'invalid_parameter_value',
      hint = 'the trail finds a record by its key';
  end if;
  policy.classification := protect.classification;
  policy.subject_column := protect.subject;
  policy.ignored_columns := protect.ignore;
  policy.digest_columns := array(select key from jsonb_each_text(columns) where value = 'digest' order by key);
  policy.omitted_columns := array(select key from jsonb_each_text(columns) where value = 'omit' order by key);
  delete from audit.exempt_tables e where (e.schema_name, e.table_name) = (policy.schema_name, policy.table_name);
  insert into audit.protected_tables as p (schema_name, table_name, classification, key_columns, subject_column,
    ignored_columns, digest_columns, omitted_columns)
  values (policy.schema_name, policy.table_name, policy.classification, policy.key_columns, policy.subject_column,
    policy.ignored_columns, policy.digest_columns, policy.omitted_columns)
  on conflict (schema_name, table_name) do update
    set classification = excluded.classification, key_columns = excluded.key_columns,
        subject_column = excluded.subject_column, ignored_columns = excluded.ignored_columns,
        digest_columns = excluded.digest_columns, omitted_columns = excluded.omitted_columns;
  -- Statement triggers fire on the table that a statement names, so every partition has its own.
  for part in select relid from pg_catalog.pg_partition_tree(target) union select target loop
    perform audit.attach_triggers(part, policy);
  end loop;
end
$$;
comment on function audit.protect(regclass, text, text, jsonb, text[]) is
  'Puts a table under audit: every change writes a row of audit.audit_logs in its own transaction. The caller must own the table.';

do $triggers$
declare
  policy audit.protected_tables;
  part regclass;
begin
  for policy in select * from audit.protected_tables where on_failure = 'record_loss' loop
    for part in select relid from pg_catalog.pg_partition_tree(format('%I.%I', policy.schema_name, policy.table_name)::regclass)
      union select format('%I.%I', policy.schema_name, policy.table_name)::regclass loop
      perform audit.attach_triggers(part, policy);
    end loop;
  end loop;
end
$triggers$;
create or replace function audit.composite_key(record jsonb, key_columns text[]) returns text
  language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return (select jsonb_agg(record -> key order by place) from unnest(key_columns) with ordinality as k (key, place));
end
$$;

drop function audit.log_changes_or_loss();
drop function audit.random_salts(bigint);
drop function audit.bulk_statement(oid, text, boolean);
drop type audit.bulk_batch;
drop function audit.refuse_stale_protection(oid);
delete from audit.exempt_tables where (schema_name, table_name) = ('audit', 'losses');
drop table audit.losses;
drop function audit.keep_loss();
alter table audit.protected_tables drop on_failure;
alter sequence audit.audit_logs_seq increment by 1;
