set local role akashi_owner;
delete from lifecycle.jobs where name = 'watch-ledger';
drop function audit.frontier_holders();
drop function audit.watch_alarms(text, text, jsonb);
delete from audit.exempt_tables where schema_name = 'audit' and table_name in ('ledger_cosignatures', 'standing_alarms');
drop table audit.standing_alarms;
drop table audit.ledger_cosignatures;
drop view audit.audit_log_chain;
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
reset role;
do $stats$
begin
  execute 'revoke pg_read_all_stats from akashi_worker, akashi_security_admin';
exception when insufficient_privilege then
  null;
end
$stats$;
