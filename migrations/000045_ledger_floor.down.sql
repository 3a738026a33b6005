set local role akashi_owner;

drop trigger refuse_change on audit.ledger_heads;
drop trigger refuse_change on audit.ledger_tiles;

create or replace function audit.hold_log(log text) returns bigint
  language plpgsql security definer set search_path = '' set lock_timeout = '10s' as $$
declare
  target record;
  last bigint;
begin
  select p.schema_name, p.table_name into strict target from lifecycle.policies p where p.append_only and p.table_name = log;
  execute format('lock table %I.%I in share mode', target.schema_name, target.table_name);
  execute format('select last_value from %I.%I', target.schema_name, target.table_name || '_seq') into last;
  return last;
end
$$;

create or replace function audit.trigger_problems(log text) returns table ("table" text, problem text)
  language sql stable security definer set search_path = '' as $$
  with guarded as (
    select part.relid::oid as relid, null::text as name, 'refuse_change' as trigger_name,
           'audit.refuse_change'::regproc::oid as function, '' ::bytea as arguments
    from lifecycle.policies p
    cross join lateral pg_catalog.pg_partition_tree(to_regclass(format('%I.%I', p.schema_name, p.table_name))) part
    -- With the trail go the append-only tables that have no log of their own.
    where p.append_only and (p.table_name = trigger_problems.log
      or (trigger_problems.log = 'audit_logs' and p.table_name not in ('security_events', 'login_attempts')))
    union all
    select to_regclass(own.name), own.name, own.trigger_name, own.function::regproc, ''
    from (values ('audit.ledger_entries', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_checkpoints', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_epochs', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_cosignatures', 'refuse_change', 'audit.refuse_change'),
                 ('audit.retention_records', 'refuse_change', 'audit.refuse_change'),
                 ('audit.verifications', 'refuse_change', 'audit.refuse_change'),
                 ('audit.ledger_tiles', 'keep_tile', 'audit.keep_tile'),
                 ('audit.ledger_heads', 'keep_head', 'audit.keep_head'),
                 ('audit.losses', 'keep_loss', 'audit.keep_loss'),
                 ('audit.losses', 'refuse_change', 'audit.refuse_change')) as own (name, trigger_name, function)
  ), recorded as (
    select part.relid::oid, format('%I.%I', p.schema_name, p.table_name), 'akashi_audit_' || event,
           case p.on_failure when 'record_loss' then 'audit.log_changes_or_loss' else 'audit.log_changes' end::regproc,
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
  union all
  select p.schema_name || '.' || p.table_name,
         case when stale.gone is not null then format('the protection names columns that are gone: %s', stale.gone)
              else format('its primary key is not (%s) any more', array_to_string(p.key_columns, ', ')) end
  from audit.protected_tables p
  join pg_catalog.pg_namespace n on n.nspname = p.schema_name
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
  cross join lateral (
    select string_agg(name, ', ') as gone
    from unnest(p.key_columns || p.digest_columns || p.omitted_columns || p.subject_column) name
    where name is not null and not exists (
      select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = name and a.attnum > 0 and not a.attisdropped)
  ) stale
  where trigger_problems.log = 'audit_logs' and (stale.gone is not null or p.key_columns is distinct from audit.primary_key(c.oid))
  union all
  select schema_name || '.' || table_name,
         format('%s statements (%s rows) were made and not recorded, the last at %s: %s', count(*), coalesce(sum(row_count), 0),
                to_char(max(created_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), (array_agg(message order by created_at desc))[1])
  from audit.losses
  where trigger_problems.log = 'audit_logs' and settled_at is null
  group by schema_name, table_name
$$;
