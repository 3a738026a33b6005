-- The end of the total retention: archived objects are deleted, and partitions of tables that are not archived
-- are dropped, each after a signed retention record. Nothing of it happens under a legal hold.
set local role akashi_owner;

alter table lifecycle.exports drop constraint exports_state_check;
alter table lifecycle.exports add constraint exports_state_check
  check (state in ('exporting', 'verified', 'detached', 'dropped', 'retiring', 'retired'));
alter table lifecycle.exports add column retired_at timestamptz, add column retention_record uuid;
comment on column lifecycle.exports.state is
  'exporting; verified: read back and compared, manifest published; detached: in schema archive; dropped: only in the store; retiring: its objects are being deleted; retired: gone, by a signed retention record.';
comment on column lifecycle.exports.retention_record is
  'Row of audit.retention_records that names what was deleted; null where the table has no log.';

-- Fails unless the total retention of a period is over, now and not as of another time: what goes is gone.
create function lifecycle.assert_retirable(schema_name text, table_name text, upper_bound timestamptz)
  returns lifecycle.policies language plpgsql stable set search_path = '' as $$
declare
  policy lifecycle.policies;
begin
  select * into policy from lifecycle.policies p
  where (p.schema_name, p.table_name) = (assert_retirable.schema_name, assert_retirable.table_name);
  if not found or policy.at_expiry = 'keep' then
    raise exception 'the policy of %.% keeps everything', schema_name, table_name using errcode = 'AK003';
  end if;
  if policy.legal_hold then
    raise exception '%.% is under legal hold', schema_name, table_name using errcode = 'AK003',
      hint = 'akashi archive hold --release ends it';
  end if;
  if upper_bound + policy.total_retention > now() then
    raise exception 'rows of the period are kept until %', upper_bound + policy.total_retention using errcode = 'AK003';
  end if;
  return policy;
end
$$;

-- Says that the objects of an export are about to be deleted: from here on nobody reads them. Answers false when
-- the export is at no such point. Asked again for one that is retiring it only checks that it still may.
create function lifecycle.begin_retiring(export uuid, record uuid) returns boolean
  language plpgsql security definer set search_path = '' as $$
declare
  own lifecycle.exports;
  own_log text;
begin
  select * into own from lifecycle.exports e where e.id = begin_retiring.export for update;
  if not found or own.state not in ('dropped', 'retiring') then
    return false;
  end if;
  perform lifecycle.assert_retirable(own.schema_name, own.table_name, own.upper_bound);
  select l.name into own_log from (values ('audit', 'audit_logs'), ('security', 'security_events'), ('auth', 'login_attempts')) as l (schema_name, name)
  where (l.schema_name, l.name) = (own.schema_name, own.table_name);
  if own_log is not null and own.row_count > 0 and not exists (
    select from audit.retention_records r
    where r.id = record and r.log = own_log and r.lower_bound <= own.lower_bound and own.upper_bound <= r.upper_bound
      and own.last_position <= r.last_position
  ) then
    raise exception 'the export has no retention record that covers its rows' using errcode = 'AK003';
  end if;
  update lifecycle.exports e set state = 'retiring', retention_record = record, message = null
  where e.id = begin_retiring.export and e.state = 'dropped';
  return true;
end
$$;

create function lifecycle.finish_retiring(export uuid) returns void
  language plpgsql security definer set search_path = '' as $$
declare
  own lifecycle.exports;
begin
  update lifecycle.exports e set state = 'retired', retired_at = clock_timestamp(), message = null
  where e.id = finish_retiring.export and e.state = 'retiring' returning * into own;
  if found then
    perform audit.record_action('archive', 'retire', format('%I.%I', own.schema_name, own.table_name), own.partition_name, 'SUCCESS',
      jsonb_build_object('from', own.lower_bound, 'to', own.upper_bound, 'generation', own.generation, 'rows', own.row_count,
        'manifest', own.manifest, 'manifest_sha256', own.manifest_sha256, 'retention_record', own.retention_record));
  end if;
end
$$;

-- Drops a partition of a table that is retired rather than archived. Every row of it must be named by a retention
-- record, which is looked at where nobody can write to it.
create function lifecycle.drop_retired(schema_name text, table_name text, partition_name text) returns bigint
  language plpgsql security definer set search_path = '' set timezone = 'UTC' set lock_timeout = '100ms' as $$
#variable_conflict use_variable
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('%I.%I', schema_name, partition_name)::regclass;
  bounds record;
  policy lifecycle.policies;
  counted bigint;
  entries bigint;
  unsealed bigint;
  last_entry bigint;
  last_recorded bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('akashi.partitions', parent::oid::bigint));
  if not exists (select from pg_catalog.pg_inherits i where i.inhparent = parent and i.inhrelid = child) then
    raise exception '%.% is no partition of %', schema_name, partition_name, parent using errcode = 'undefined_object';
  end if;
  select * into bounds from lifecycle.partition_bounds(child);
  policy := lifecycle.assert_retirable(schema_name, table_name, bounds.upper);
  if policy.at_expiry <> 'retire' then
    raise exception '%.% is archived, not retired', schema_name, table_name using errcode = 'AK003';
  end if;
  execute format('lock table only %s in access exclusive mode', parent);
  execute format('lock table only %s in access exclusive mode', child);
  if row_security_active(child) then
    execute format('create policy akashi_retire on %s for select to akashi_owner using (true)', child);
  end if;
  execute format('select count(*) from only %s', child) into counted;
  if exists (select from (values ('audit', 'audit_logs'), ('security', 'security_events'), ('auth', 'login_attempts')) as l (s, t)
             where (l.s, l.t) = (schema_name, table_name)) then
    -- Each row is sealed, and the records reach to the last entry of the period.
    select count(*), coalesce(max(e.position), -1) into entries, last_entry from audit.ledger_entries e
    where e.log = table_name and e.created_at >= bounds.lower and e.created_at < bounds.upper;
    select coalesce(max(r.last_position), -1) into last_recorded from audit.retention_records r
    where r.log = table_name and r.lower_bound <= bounds.lower and bounds.upper <= r.upper_bound;
    execute format('select count(*) from only %s r where (r.xid, r.seq) > (select h.last_xid, h.last_seq from audit.ledger_heads h where h.log = %L)',
      child, table_name) into unsealed;
    if unsealed > 0 or last_recorded < last_entry or counted > entries then
      raise exception '%.% has rows that no retention record names', schema_name, partition_name
        using errcode = 'AK003', hint = 'rows came since: the next run records them too';
    end if;
  end if;
  execute format('alter table %s detach partition %s', parent, child);
  execute format('drop table %I.%I', schema_name, partition_name);
  perform audit.record_action('archive', 'retire', format('%I.%I', schema_name, table_name), partition_name, 'SUCCESS',
    jsonb_build_object('from', bounds.lower, 'to', bounds.upper, 'rows', counted));
  return counted;
end
$$;

grant execute on function lifecycle.begin_retiring(uuid, uuid), lifecycle.finish_retiring(uuid),
  lifecycle.drop_retired(text, text, text) to akashi_worker;

insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('archive-retire', '0 4 * * *', 'archive.retire', '12 hours',
   'delete what its total retention is over of, after a signed retention record');

drop view lifecycle.data_lineage;
create view lifecycle.data_lineage with (security_invoker = true) as
  select l.schema_name, l.table_name, n.row_id, n.created_at, n.log, n.position, n.entry_hash,
         case e.state when 'verified' then 'database and store' when 'detached' then 'archive schema and store'
                      when 'dropped' then 'store' when 'retiring' then 'store, being retired' when 'retired' then 'nowhere: retired'
                      else 'database' end as lives_in,
         coalesce(e.partition_name, lifecycle.partition_name(l.table_name, n.created_at, p.interval)) as partition_name,
         e.id as export_id, e.generation, e.state as export_state, e.folder, e.manifest, e.manifest_sha256,
         e.verified_at as exported_at, e.detached_at, e.dropped_at, e.restored_at,
         (select jsonb_agg(jsonb_build_object('restored_at', r.restored_at, 'keep_until', r.keep_until, 'by', r.restored_by)
                           order by r.restored_at)
          from lifecycle.partition_restores r
          where (r.schema_name, r.table_name) = (l.schema_name, l.table_name)
            and r.lower_bound <= n.created_at and n.created_at < r.upper_bound) as restores,
         c.size as checkpoint_size, c.epoch as checkpoint_epoch, c.published_at as checkpoint_published_at,
         t.id as retention_record_id, t.retired_at
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
    where k.log = n.log and k.size > n.position order by k.epoch desc, k.size limit 1) c on true
  left join lateral (
    select r.id, r.retired_at from audit.retention_records r
    where r.log = n.log and n.position between r.first_position and r.last_position
      and r.lower_bound <= n.created_at and n.created_at < r.upper_bound
      and not exists (select from lifecycle.exports x
                      where x.id = e.id and x.state in ('verified', 'detached', 'dropped'))
    order by r.retired_at limit 1) t on true;
comment on view lifecycle.data_lineage is
  'One row for every sealed row: its place in the ledger, the partition and export that hold it, the manifest that names its object, the first published checkpoint that covers it, every restore, and the retention record that ended it. Ask for a row_id.';
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
          and e.state in ('exporting', 'verified', 'detached')
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
      when 'dropped' then null when 'retiring' then null when 'retired' then null
      else to_regclass(format('%I.%I', e.schema_name, e.partition_name)) end), 0) as bytes
  ) own
  order by e.schema_name, e.table_name, e.lower_bound, e.generation
$$;
