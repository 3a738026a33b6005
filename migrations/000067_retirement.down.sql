set local role akashi_owner;

delete from lifecycle.jobs where name = 'archive-retire';
drop view lifecycle.data_lineage;
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

grant select on lifecycle.data_lineage to akashi_worker, akashi_security_admin;

create or replace function archive.process_archived_partitions(p_dry_run boolean default false)
  returns table (table_name text, row_count bigint, exported boolean, dropped boolean, message text)
  language plpgsql security definer set search_path = '' as $$
begin
  if not p_dry_run then
    perform lifecycle.request_job('archive-export');
    perform lifecycle.request_job('archive-expire');
  end if;
  return query
    with part as (
      select p.schema_name, p.table_name as parent, c.relname::text as name, b.lower, b.upper, greatest(c.reltuples, 0)::bigint as estimate,
             p.hot_retention, p.legal_hold, p.lateness
      from lifecycle.policies p
      join pg_catalog.pg_inherits i on i.inhparent = to_regclass(format('%I.%I', p.schema_name, p.table_name))
      join pg_catalog.pg_class c on c.oid = i.inhrelid
      cross join lateral lifecycle.partition_bounds(c.oid::regclass) b
      where p.at_expiry = 'archive' and isfinite(b.lower) and isfinite(b.upper)
      union all
      select distinct e.schema_name, e.table_name, e.partition_name, e.lower_bound, e.upper_bound, 0::bigint,
             p.hot_retention, p.legal_hold, p.lateness
      from lifecycle.exports e join lifecycle.policies p using (schema_name, table_name) where e.state = 'detached'
    ), due as (
      select part.*, last.*
      from part left join lateral (
        select sum(e.row_count)::bigint as known, bool_and(e.state in ('verified', 'detached')) as done, max(e.keep_until) as keep_until
        from lifecycle.exports e
        where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound) = (part.schema_name, part.parent, part.lower, part.upper)
          and e.state <> 'dropped'
      ) last on true
      where part.upper + part.lateness <= now()
        and (not coalesce(last.done, false) or part.upper + part.hot_retention <= now())
    )
    select due.name, coalesce(due.known, due.estimate), coalesce(due.done, false), false,
           format('%s: %s.%s (%s%s rows)',
             case when due.legal_hold or due.keep_until > now() then 'Would keep' when p_dry_run then 'Would process' else 'Queued' end,
             due.schema_name, due.name, case when due.known is null then 'about ' else '' end, coalesce(due.known, due.estimate))
    from due order by due.schema_name, due.parent, due.lower;
end
$$;

create or replace function archive.get_archive_status() returns table (
  table_name text, partition_name text, state text, row_count bigint, size text, size_bytes bigint, object text,
  exported_at timestamptz, dropped_at timestamptz, message text
)
  language sql stable security definer set search_path = '' as $$
  select format('%s.%s', e.schema_name, e.table_name), e.partition_name, e.state, e.row_count,
         pg_size_pretty(own.bytes), own.bytes, e.manifest, e.verified_at, e.dropped_at, e.message
  from lifecycle.exports e
  cross join lateral (
    select coalesce(pg_total_relation_size(case e.state
      when 'detached' then to_regclass(format('archive.%I', e.partition_name))
      when 'dropped' then null
      else to_regclass(format('%I.%I', e.schema_name, e.partition_name)) end), 0) as bytes
  ) own
  order by e.schema_name, e.table_name, e.lower_bound, e.generation
$$;

drop function lifecycle.drop_retired(text, text, text);
drop function lifecycle.finish_retiring(uuid);
drop function lifecycle.begin_retiring(uuid, uuid);
drop function lifecycle.assert_retirable(text, text, timestamptz);
alter table lifecycle.exports drop column retention_record, drop column retired_at;
alter table lifecycle.exports drop constraint exports_state_check;
alter table lifecycle.exports add constraint exports_state_check check (state in ('exporting', 'verified', 'detached', 'dropped'));
