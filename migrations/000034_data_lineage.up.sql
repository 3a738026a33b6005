-- S1 8.1: where any row lives and has lived, for every row that the ledger knows.
set local role akashi_owner;

-- Every time that a period was brought back, not only the last: the trail has them all.
create view lifecycle.partition_restores with (security_invoker = true) as
  select split_part(a.resource, '.', 1) as schema_name, split_part(a.resource, '.', 2) as table_name,
         (a.detail ->> 'from')::timestamptz as lower_bound, (a.detail ->> 'to')::timestamptz as upper_bound,
         a.created_at as restored_at, (a.detail ->> 'keep_until')::timestamptz as keep_until, a.db_user as restored_by
  from audit.audit_logs a
  where a.event_type = 'archive' and a.action = 'restore' and a.result = 'SUCCESS';
comment on view lifecycle.partition_restores is 'Periods that were brought back from the archive, each time.';

create view lifecycle.data_lineage with (security_invoker = true) as
  select l.schema_name, l.table_name, n.row_id, n.created_at, n.log, n.position, n.entry_hash,
         case e.state when 'verified' then 'database and store' when 'detached' then 'archive schema and store'
                      when 'dropped' then 'store' else 'database' end as lives_in,
         coalesce(e.partition_name, lifecycle.partition_name(l.table_name, n.created_at, p.interval)) as partition_name,
         e.id as export_id, e.generation, e.state as export_state, e.folder, e.manifest, e.manifest_sha256,
         e.verified_at as exported_at, e.detached_at, e.dropped_at, e.restored_at,
         (select jsonb_agg(jsonb_build_object('restored_at', r.restored_at, 'keep_until', r.keep_until, 'by', r.restored_by)
                           order by r.restored_at)
          from lifecycle.partition_restores r
          where (r.schema_name, r.table_name) = (l.schema_name, l.table_name)
            and r.lower_bound <= n.created_at and n.created_at < r.upper_bound) as restores,
         c.size as checkpoint_size, c.epoch as checkpoint_epoch, c.published_at as checkpoint_published_at
  from audit.ledger_entries n
  join (values ('audit_logs', 'audit', 'audit_logs'), ('security_events', 'security', 'security_events'),
               ('login_attempts', 'auth', 'login_attempts')) as l (log, schema_name, table_name) on l.log = n.log
  join lifecycle.policies p on (p.schema_name, p.table_name) = (l.schema_name, l.table_name)
  left join lifecycle.exports e
    on (e.schema_name, e.table_name) = (l.schema_name, l.table_name) and e.state <> 'exporting'
    and e.lower_bound <= n.created_at and n.created_at < e.upper_bound
    and n.position between e.first_position and e.last_position
  left join lateral (
    select k.size, k.epoch, k.published_at from audit.ledger_checkpoints k
    where k.log = n.log and k.size > n.position order by k.epoch desc, k.size limit 1) c on true;
comment on view lifecycle.data_lineage is
  'One row for every sealed row: its place in the ledger, the partition and export that hold it, the manifest that names its object, the first published checkpoint that covers it, and every restore. Ask for a row_id.';
comment on column lifecycle.data_lineage.manifest is 'Names the object whose positions hold this one.';

grant select on lifecycle.partition_restores, lifecycle.data_lineage to akashi_worker, akashi_security_admin;
