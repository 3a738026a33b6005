-- The ledger under the sources' names, cosignatures, and what is watched every minute.
set local role akashi_owner;

-- S5 3.1: each entry's hash beside that of the one before. The tree, not this chain, is what is signed.
create view audit.audit_log_chain with (security_invoker = true) as
  select e.log, e.position, e.row_id as id, e.created_at as recorded_at,
         encode(e.entry_hash, 'hex') as hash, encode(p.entry_hash, 'hex') as previous_hash
  from audit.ledger_entries e
  left join audit.ledger_entries p on p.log = e.log and p.position = e.position - 1;
comment on view audit.audit_log_chain is 'hash and previous_hash of S5 over the ledger; previous_hash is null for the first entry.';
grant select on audit.audit_log_chain to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;

-- What witnesses added to published checkpoints.
create table audit.ledger_cosignatures (
  log         text not null,
  epoch       integer not null,
  size        bigint not null check (size >= 0),
  witness     text not null,
  note        text not null,
  cosigned_at timestamptz not null,
  primary key (log, epoch, size, witness)
);
comment on column audit.ledger_cosignatures.note is 'The checkpoint with the signature lines of the log and of this witness.';
alter table audit.ledger_cosignatures enable row level security;
alter table audit.ledger_cosignatures force row level security;
create policy ledger_cosignatures_worker on audit.ledger_cosignatures to akashi_worker using (true) with check (true);
create policy ledger_cosignatures_read on audit.ledger_cosignatures for select to akashi_app, akashi_security_admin, akashi_reader using (true);
create policy ledger_cosignatures_owner on audit.ledger_cosignatures to akashi_owner using (true) with check (true);
grant select on audit.ledger_cosignatures to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;
grant insert on audit.ledger_cosignatures to akashi_worker;
select audit.guard('audit.ledger_cosignatures'), audit.exempt('audit.ledger_cosignatures', 'part of the ledger');

-- Alarms that stand: one security event when one begins, none while it lasts.
create table audit.standing_alarms (
  kind      text not null,
  subject   text not null,
  detail    text not null,
  raised_at timestamptz not null default now(),
  primary key (kind, subject, detail)
);
alter table audit.standing_alarms enable row level security;
alter table audit.standing_alarms force row level security;
create policy standing_alarms_read on audit.standing_alarms for select to akashi_app, akashi_worker, akashi_security_admin using (true);
create policy standing_alarms_owner on audit.standing_alarms to akashi_owner using (true) with check (true);
grant select on audit.standing_alarms to akashi_app, akashi_worker, akashi_security_admin;
select audit.exempt('audit.standing_alarms', 'each alarm is a security event');

-- What is wrong now, of one kind: an array of {subject, detail}. Answers how many alarms began.
create function audit.watch_alarms(kind text, severity text, problems jsonb) returns integer
  language plpgsql security definer set search_path = '' as $$
declare
  begun integer;
begin
  perform pg_advisory_xact_lock(hashtextextended('akashi.alarms/' || kind, 0));
  delete from audit.standing_alarms a
  where a.kind = watch_alarms.kind and not exists (
    select from jsonb_to_recordset(problems) as f (subject text, detail text) where f.subject = a.subject and f.detail = a.detail);
  with raised as (
    insert into audit.standing_alarms (kind, subject, detail)
    select distinct watch_alarms.kind, f.subject, f.detail from jsonb_to_recordset(problems) as f (subject text, detail text)
    on conflict do nothing
    returning subject, detail
  ), events as (
    insert into security.security_events (event_type, event_category, severity, source_service, resource_type, resource_id,
      action_performed, result, ocsf_class_uid, event_details)
    select watch_alarms.kind, 'integrity', watch_alarms.severity, 'akashi', 'ledger', left(r.subject, 255), 'watch', 'failure', 2004,
      jsonb_build_object('subject', r.subject, 'detail', r.detail) from raised r
  )
  select count(*) into begun from raised;
  if begun > 0 then
    perform pg_notify('audit_tampering_detected', json_build_object('severity', severity, 'message', kind, 'timestamp', now())::text);
  end if;
  return begun;
end
$$;
grant execute on function audit.watch_alarms(text, text, jsonb) to akashi_worker;

-- Whoever holds the frontier: the oldest transaction with an xid, in any database of the cluster, or one that was
-- prepared. pg_stat_activity shows another role's xact_start only to pg_read_all_stats, which the owner may lack.
reset role;
do $stats$
begin
  execute 'grant pg_read_all_stats to akashi_worker, akashi_security_admin';
exception when insufficient_privilege then
  raise notice 'the age of a transaction that holds the frontier will not be known: grant pg_read_all_stats to akashi_worker';
end
$stats$;
set local role akashi_owner;

create function audit.frontier_holders()
  returns table (pid integer, database text, login text, application_name text, state text, prepared text, age_seconds double precision)
  language sql stable set search_path = '' as $$
  with frontier as materialized (select pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::xid as xid)
  select a.pid, a.datname::text, a.usename::text, a.application_name, a.state, null::text,
         extract(epoch from clock_timestamp() - a.xact_start)::float8
  from pg_catalog.pg_stat_activity a join frontier f on a.backend_xid = f.xid
  where a.pid <> pg_catalog.pg_backend_pid()
  union all
  select null, p.database::text, p.owner::text, null, 'prepared', p.gid, extract(epoch from clock_timestamp() - p.prepared)::float8
  from pg_catalog.pg_prepared_xacts p join frontier f on p.transaction = f.xid
$$;
grant execute on function audit.frontier_holders() to akashi_worker, akashi_security_admin;

insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('watch-ledger', '* * * * *', 'ledger.watch', '50 seconds',
   'alarm when a trigger of the record is disabled or gone, or a transaction holds the sealer up');

-- The guards of the tables that came since are watched and verified too.
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
