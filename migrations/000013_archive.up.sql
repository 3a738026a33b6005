-- The archive: what was exported, compared, detached and dropped, one row per object set. At the end of the total
-- retention archived objects are deleted, and partitions of tables that are not archived are dropped, each after
-- a signed retention record. Nothing of it happens under a legal hold.
set local role akashi_owner;

create table akashi_lifecycle.exports (
  id               uuid primary key default akashi_audit.uuid_v7(),
  schema_name      text not null,
  table_name       text not null,
  partition_name   text not null,
  lower_bound      timestamptz not null,
  upper_bound      timestamptz not null,
  generation       integer not null check (generation >= 0),
  state            text not null default 'exporting'
                   check (state in ('exporting', 'verified', 'superseded', 'detached', 'dropped', 'retiring', 'retired')),
  folder           text not null,
  manifest         text not null,
  manifest_sha256  text check (manifest_sha256 ~ '^[0-9a-f]{64}$'),
  fingerprint      text check (fingerprint ~ '^[0-9a-f]{64}$'),
  row_count        bigint check (row_count >= 0),
  objects          integer check (objects >= 0),
  bytes            bigint check (bytes >= 0),
  after_key        text[],
  upto_key         text[],
  first_position   bigint,
  last_position    bigint,
  keep_until       timestamptz,
  message          text,
  verified_at      timestamptz,
  detached_at      timestamptz,
  dropped_at       timestamptz,
  restored_at      timestamptz,
  created_at       timestamptz not null default clock_timestamp(),
  updated_at       timestamptz not null default clock_timestamp(),
  created_by       text default session_user,
  last_modified_by text,
  retired_at       timestamptz,
  retention_record uuid,
  unique (schema_name, table_name, lower_bound, upper_bound, generation),
  check (lower_bound < upper_bound),
  check (state = 'exporting' or (manifest_sha256 is not null and fingerprint is not null and row_count is not null
                                 and objects is not null and bytes is not null and verified_at is not null))
);
comment on table akashi_lifecycle.exports is
  'One row per export of a partition: generation 0 when it closed, later ones for rows that came afterwards.';
comment on column akashi_lifecycle.exports.state is
  'exporting; verified: read back and compared, manifest published; superseded: a later export holds all its rows; detached: in schema akashi_archive; dropped: only in the store; retiring: its objects are being deleted; retired: gone, by a signed retention record.';
comment on column akashi_lifecycle.exports.after_key is 'The export holds rows behind this key of its order; null for the first.';
comment on column akashi_lifecycle.exports.upto_key is 'Up to this key: the sealed frontier of the moment; null where the table has no log.';
comment on column akashi_lifecycle.exports.fingerprint is
  'SHA-256 of COPY … TO STDOUT (FORMAT csv, FORCE_QUOTE *) of the rows in order.';
comment on column akashi_lifecycle.exports.keep_until is 'A restored partition is not detached again before this time.';
comment on column akashi_lifecycle.exports.message is 'Why the last attempt failed; null when it did not.';
comment on column akashi_lifecycle.exports.retention_record is
  'Row of akashi_audit.retention_records that names what was deleted; null where the table has no log.';

alter table akashi_lifecycle.exports enable row level security, force row level security;
create policy exports_worker on akashi_lifecycle.exports to akashi_worker using (true) with check (true);
create policy exports_read on akashi_lifecycle.exports for select to akashi_security_admin, akashi_reader using (true);
create policy exports_owner on akashi_lifecycle.exports to akashi_owner using (true) with check (true);
grant select on akashi_lifecycle.exports to akashi_worker, akashi_security_admin, akashi_reader;
grant insert (schema_name, table_name, partition_name, lower_bound, upper_bound, generation, folder, manifest, after_key)
  on akashi_lifecycle.exports to akashi_worker;
grant update (state, partition_name, folder, manifest, after_key, manifest_sha256, fingerprint, row_count, objects, bytes, upto_key, first_position, last_position, message)
  on akashi_lifecycle.exports to akashi_worker;

-- What was compared stays as it was compared, and only the owner's functions say that a table is gone.
create function akashi_lifecycle.keep_export() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  new.updated_at := clock_timestamp();
  new.last_modified_by := session_user;
  if (new.schema_name, new.table_name, new.lower_bound, new.upper_bound, new.generation)
     is distinct from (old.schema_name, old.table_name, old.lower_bound, old.upper_bound, old.generation) then
    raise exception 'an export keeps what it is of' using errcode = 'AK001';
  end if;
  if old.state <> 'exporting' and (
    (new.folder, new.manifest, new.manifest_sha256, new.fingerprint, new.row_count, new.objects, new.bytes, new.after_key, new.upto_key)
     is distinct from (old.folder, old.manifest, old.manifest_sha256, old.fingerprint, old.row_count, old.objects, old.bytes, old.after_key, old.upto_key)
    or new.state = 'exporting') then
    raise exception 'an export that was compared keeps what was compared' using errcode = 'AK001';
  end if;
  if new.state <> old.state and current_user <> 'akashi_owner' and (old.state, new.state) <> ('exporting', 'verified') then
    raise exception 'an export does not go from % to %', old.state, new.state using errcode = 'AK003';
  end if;
  if new.state = 'verified' and old.state = 'exporting' then
    new.verified_at := clock_timestamp();
  end if;
  return new;
end
$$;
create trigger keep_export before update on akashi_lifecycle.exports for each row execute function akashi_lifecycle.keep_export();
alter table akashi_lifecycle.exports enable always trigger keep_export;
select akashi_audit.exempt('akashi_lifecycle.exports', 'history that only the worker writes; drops and restores are actions of the trail');

-- Says that a verified export holds every row of its table, also those of the exports before it.
create function akashi_lifecycle.supersede_exports(export uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_lifecycle.exports e set state = 'superseded', message = null
  from akashi_lifecycle.exports own
  where own.id = supersede_exports.export and own.state = 'verified'
    and (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (own.schema_name, own.table_name, own.lower_bound, own.upper_bound)
    and e.generation < own.generation and e.state = 'verified';
end
$$;
grant execute on function akashi_lifecycle.supersede_exports(uuid) to akashi_worker;

-- What keeps a partition in PostgreSQL although it is due; null when nothing does.
create function akashi_lifecycle.held_by(policy akashi_lifecycle.policies, keep_until timestamptz, as_of timestamptz) returns text
  language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
  select case when policy.legal_hold then 'legal hold'
              when keep_until > as_of then 'restored, kept until ' || to_char(keep_until, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end
$$;

-- Every partition that is closed, and what is due for it: `export`, `drop`, `held`, or `reattach` for a detached one that
-- may not leave any more. Null when it is exported and stays for now: only rows that came late are exported then.
create function akashi_lifecycle.archive_plan(as_of timestamptz, only_schema text default null, only_table text default null)
  returns table (schema_name text, table_name text, partition_name text, lower_bound timestamptz, upper_bound timestamptz,
    step text, held_by text, attached boolean, mutable boolean, csv boolean, state text, row_count bigint, estimated boolean,
    manifest text, verified_at timestamptz)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  with policy as (
    select p, p.schema_name, p.table_name, c.oid as parent from akashi_lifecycle.policies p
    join pg_catalog.pg_namespace n on n.nspname = p.schema_name
    join pg_catalog.pg_class c on (c.relnamespace, c.relname) = (n.oid, p.table_name)
    where p.at_expiry = 'archive' and (only_schema is null or (p.schema_name, p.table_name) = (only_schema, only_table))
  ), part as (
    select p.p, c.relname::text as name, b.lower, b.upper, true as attached,
           -- Nobody has analyzed what was filled a moment ago.
           greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)::bigint as estimate
    from policy p
    join pg_catalog.pg_inherits i on i.inhparent = p.parent
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    cross join lateral akashi_lifecycle.partition_bounds(c.oid::regclass) b
    where isfinite(b.lower) and isfinite(b.upper)
    union all
    select distinct p.p, e.partition_name, e.lower_bound, e.upper_bound, false, 0::bigint
    from akashi_lifecycle.exports e join policy p using (schema_name, table_name) where e.state = 'detached'
  ), due as (
    select part.*, last.*, akashi_lifecycle.held_by(part.p, last.keep_until, as_of) as held,
           part.upper + (part.p).hot_retention <= as_of as expired
    from part left join lateral (
      select (array_agg(e.state order by e.generation desc))[1] as state, max(e.keep_until) as keep_until,
             sum(e.row_count)::bigint as known, (array_agg(e.manifest order by e.generation desc))[1] as manifest,
             max(e.verified_at) as verified_at
      from akashi_lifecycle.exports e
      where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
          = ((part.p).schema_name, (part.p).table_name, part.lower, part.upper) and e.state <> 'superseded'
    ) last on true
    where part.upper + (part.p).lateness <= as_of
  )
  select (p).schema_name, (p).table_name, name, lower, upper,
         case when not attached then case when expired and held is null then 'drop' else 'reattach' end
              when expired and held is null then 'drop'
              when state is distinct from 'verified' then 'export'
              when expired then 'held' end,
         case when not attached and not expired then 'its time in PostgreSQL is longer now' else held end,
         attached, not (p).append_only, (p).format = 'parquet+csv', state, coalesce(known, estimate), known is null, manifest, verified_at
  from due order by 1, 2, 4, attached
$$;
comment on function akashi_lifecycle.archive_plan(timestamptz, text, text) is
  'What the archive would do with each closed partition at a moment.';

-- Everything whose total retention is over: exports, and partitions of tables that are not archived.
create function akashi_lifecycle.retirement_plan(as_of timestamptz, only_schema text default null, only_table text default null)
  returns table (schema_name text, table_name text, partition_name text, lower_bound timestamptz, upper_bound timestamptz,
    step text, held_by text, export_id uuid, policy_text text, row_count bigint, estimated boolean, manifest text, generation integer)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  with policy as (
    select p.*, c.oid as parent, format('%s.%s: kept for %s, %s', p.schema_name, p.table_name, p.total_retention,
             case when p.retention_set_at is null then 'as installed'
               else format('set by %s at %s', regexp_replace(p.retention_set_by, '[[:cntrl:]]', '?', 'g'),
                 to_char(p.retention_set_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) end) as text
    from akashi_lifecycle.policies p
    left join pg_catalog.pg_namespace n on n.nspname = p.schema_name
    left join pg_catalog.pg_class c on (c.relnamespace, c.relname) = (n.oid, p.table_name)
    where p.at_expiry <> 'keep' and (only_schema is null or (p.schema_name, p.table_name) = (only_schema, only_table))
  ), due as (
    select p.schema_name, p.table_name, e.partition_name, e.lower_bound, e.upper_bound, p.legal_hold, e.id, p.text,
           e.row_count, e.manifest, e.generation
    from akashi_lifecycle.exports e join policy p using (schema_name, table_name)
    where e.upper_bound + p.total_retention <= as_of
      and (e.state in ('dropped', 'retiring') or (e.state = 'superseded' and not exists (
        select from akashi_lifecycle.exports n
        where (n.schema_name, n.table_name, n.lower_bound, n.upper_bound) = (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
          and n.state in ('exporting', 'verified', 'detached'))))
    union all
    select p.schema_name, p.table_name, c.relname::text, b.lower, b.upper, p.legal_hold, null, p.text,
           greatest(c.reltuples, 0)::bigint, null, 0
    from policy p
    join pg_catalog.pg_inherits i on i.inhparent = p.parent
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    cross join lateral akashi_lifecycle.partition_bounds(c.oid::regclass) b
    where p.at_expiry = 'retire' and isfinite(b.lower) and b.upper + p.total_retention <= as_of
  )
  select due.schema_name, due.table_name, due.partition_name, due.lower_bound, due.upper_bound,
         case when due.legal_hold then 'held' else 'retire' end, case when due.legal_hold then 'legal hold' end,
         due.id, due.text, due.row_count, due.id is null, due.manifest, due.generation
  from due order by 1, 2, 4, 13
$$;
comment on function akashi_lifecycle.retirement_plan(timestamptz, text, text) is 'What is past its total retention at a moment.';
grant execute on function akashi_lifecycle.held_by(akashi_lifecycle.policies, timestamptz, timestamptz),
  akashi_lifecycle.archive_plan(timestamptz, text, text), akashi_lifecycle.retirement_plan(timestamptz, text, text)
  to akashi_worker, akashi_security_admin;

-- Fails unless a partition may leave: its policy says so, it is out of its hot time, every export of it was
-- compared, and nobody holds it.
create function akashi_lifecycle.assert_expired(schema_name text, table_name text, lower_bound timestamptz, upper_bound timestamptz, as_of timestamptz)
  returns void language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  policy akashi_lifecycle.policies;
  undone integer;
  done integer;
  held timestamptz;
begin
  select * into policy from akashi_lifecycle.policies p
  where (p.schema_name, p.table_name) = (assert_expired.schema_name, assert_expired.table_name);
  if not found or policy.at_expiry <> 'archive' then
    raise exception 'the policy of %.% does not archive', schema_name, table_name using errcode = 'AK003';
  end if;
  if policy.legal_hold then
    raise exception '%.% is under legal hold', schema_name, table_name using errcode = 'AK003',
      hint = 'akashi archive hold --release ends it';
  end if;
  if upper_bound + policy.hot_retention > as_of then
    raise exception 'the partition is kept in PostgreSQL until %', upper_bound + policy.hot_retention using errcode = 'AK003';
  end if;
  select count(*) filter (where e.state = 'exporting'), count(*) filter (where e.state in ('verified', 'detached')), max(e.keep_until)
  into undone, done, held
  from akashi_lifecycle.exports e
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (assert_expired.schema_name, assert_expired.table_name, assert_expired.lower_bound, assert_expired.upper_bound);
  if done = 0 or undone > 0 then
    raise exception 'the partition has no verified export of all its rows' using errcode = 'AK003';
  end if;
  if held > as_of then
    raise exception 'the partition was restored and is kept until %', held using errcode = 'AK003';
  end if;
end
$$;

-- Locks a partition against everybody until the transaction ends, waiting no longer than the caller's
-- lock_timeout. The table first, as its readers do.
create function akashi_lifecycle.fence_partition(schema_name text, table_name text, partition_name text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  execute format('lock table only %I.%I in access exclusive mode', schema_name, table_name);
  execute format('lock table only %I.%I in access exclusive mode', schema_name, partition_name);
end
$$;

-- Takes a partition out of its table into schema akashi_archive, guarded against every change, in one transaction:
-- no moment in which it is half detached.
create function akashi_lifecycle.detach_partition(schema_name text, table_name text, partition_name text, as_of timestamptz default now())
  returns void language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('%I.%I', schema_name, partition_name)::regclass;
  bounds record;
begin
  perform pg_advisory_xact_lock(hashtextextended('akashi.partitions', parent::oid::bigint));
  if not exists (select from pg_catalog.pg_inherits i where i.inhparent = parent and i.inhrelid = child) then
    raise exception '%.% is not a partition of %', schema_name, partition_name, parent using errcode = 'undefined_object';
  end if;
  select * into bounds from akashi_lifecycle.partition_bounds(child);
  perform akashi_lifecycle.assert_expired(schema_name, table_name, bounds.lower, bounds.upper, as_of);
  execute format('alter table %s detach partition %s', parent, child);
  execute format('alter table %s set schema akashi_archive', child);
  execute format('revoke all on akashi_archive.%I from public, akashi_app, akashi_worker, akashi_reader, akashi_security_admin', partition_name);
  execute format('create policy archived_read on akashi_archive.%I for select to akashi_worker using (true)', partition_name);
  execute format('grant select on akashi_archive.%I to akashi_worker', partition_name);
  perform akashi_audit.guard(format('akashi_archive.%I', partition_name)::regclass);
  execute format('create or replace trigger refuse_insert before insert on akashi_archive.%I
    for each statement execute function akashi_audit.refuse_change()', partition_name);
  execute format('alter table akashi_archive.%I enable always trigger refuse_insert', partition_name);
  perform akashi_audit.record_relations('detach', array[format('akashi_archive.%I', partition_name)::regclass]);
  execute format('comment on table akashi_archive.%I is %L', partition_name,
    format('detached from %s, rows from %s to %s', parent, bounds.lower, bounds.upper));
  update akashi_lifecycle.exports e set state = 'detached', detached_at = clock_timestamp()
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (detach_partition.schema_name, detach_partition.table_name, bounds.lower, bounds.upper) and e.state = 'verified';
end
$$;
comment on function akashi_lifecycle.detach_partition(text, text, text, timestamptz) is
  'Moves an expired partition with verified exports into schema akashi_archive; read-only there.';

-- Keeps a detached table as it is until the transaction ends, so that what is compared is what is dropped.
create function akashi_lifecycle.freeze_detached(partition_name text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  execute format('lock table akashi_archive.%I in share mode', partition_name);
end
$$;

-- Drops a detached table. The caller compared its rows with the exports in the same transaction, frozen.
create function akashi_lifecycle.drop_detached(schema_name text, table_name text, partition_name text, lower_bound timestamptz,
  upper_bound timestamptz, fingerprints text[], as_of timestamptz default now())
  returns void language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  expected text[];
begin
  perform akashi_lifecycle.assert_expired(schema_name, table_name, lower_bound, upper_bound, as_of);
  select array_agg(e.fingerprint order by e.generation) into expected from akashi_lifecycle.exports e
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (drop_detached.schema_name, drop_detached.table_name, drop_detached.lower_bound, drop_detached.upper_bound)
    and e.state = 'detached';
  if expected is null or expected is distinct from fingerprints then
    raise exception 'archive.% is not what was exported', partition_name using errcode = 'AK002',
      hint = 'the table is kept; compare it with its Parquet files';
  end if;
  execute format('drop table akashi_archive.%I', partition_name);
  update akashi_lifecycle.exports e set state = 'dropped', dropped_at = clock_timestamp(), message = null
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (drop_detached.schema_name, drop_detached.table_name, drop_detached.lower_bound, drop_detached.upper_bound)
    and e.state = 'detached';
  perform akashi_audit.record_action('archive', 'drop', format('%I.%I', schema_name, table_name), partition_name, 'SUCCESS',
    jsonb_build_object('from', lower_bound, 'to', upper_bound, 'fingerprints', to_jsonb(fingerprints)));
end
$$;

-- Says that the rows of a period are back in their table: it is archived again when keep_until is over.
create function akashi_lifecycle.mark_restored(schema_name text, table_name text, lower_bound timestamptz, upper_bound timestamptz,
  keep_until timestamptz, was text) returns void
  language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
begin
  update akashi_lifecycle.exports e
  set state = 'verified', detached_at = null, dropped_at = null, message = null,
      restored_at = case when mark_restored.keep_until is null then e.restored_at else clock_timestamp() end,
      keep_until = coalesce(mark_restored.keep_until, e.keep_until)
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (mark_restored.schema_name, mark_restored.table_name, mark_restored.lower_bound, mark_restored.upper_bound)
    and e.state = mark_restored.was;
  perform akashi_audit.record_action('archive', case when keep_until is null then 'reattach' else 'restore' end,
    format('%I.%I', schema_name, table_name), null, 'SUCCESS',
    jsonb_strip_nulls(jsonb_build_object('from', lower_bound, 'to', upper_bound, 'keep_until', keep_until)));
end
$$;

-- The table that a period's rows are filled into; it is attached once they are compared.
create function akashi_lifecycle.prepare_restored(schema_name text, table_name text, partition_name text, lower_bound timestamptz, upper_bound timestamptz)
  returns void language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
begin
  if akashi_lifecycle.uncovered(parent, lower_bound, upper_bound) <> tstzmultirange(tstzrange(lower_bound, upper_bound)) then
    raise exception 'rows of the period came to %.% since it was archived', schema_name, table_name using errcode = 'AK003',
      hint = 'akashi archive run exports and drops them; then all are restored together';
  end if;
  perform akashi_lifecycle.prepare_partition(parent, partition_name, lower_bound, upper_bound);
end
$$;

-- Attaches what prepare_restored made, and waits for its lock a tenth of a second at a time: who wants the table waits no longer.
create function akashi_lifecycle.attach_restored(schema_name text, table_name text, partition_name text, lower_bound timestamptz,
  upper_bound timestamptz, keep_until timestamptz)
  returns void language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '100ms' as $$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('%I.%I', schema_name, partition_name)::regclass;
  -- Five minutes.
  attempts_left integer := 1000;
begin
  loop
    begin
      perform pg_advisory_xact_lock(hashtextextended('akashi.partitions', parent::oid::bigint));
      perform akashi_lifecycle.attach_prepared(parent, child, lower_bound, upper_bound);
      exit;
    exception when lock_not_available then
      attempts_left := attempts_left - 1;
      if attempts_left = 0 then
        raise;
      end if;
      perform pg_sleep(0.2);
    end;
  end loop;
  perform akashi_lifecycle.mark_restored(schema_name, table_name, lower_bound, upper_bound, keep_until, 'dropped');
end
$$;

-- Puts a detached partition back into its table, with or without a time until which it stays.
create function akashi_lifecycle.reattach_partition(schema_name text, table_name text, partition_name text, lower_bound timestamptz,
  upper_bound timestamptz, keep_until timestamptz default null)
  returns void language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '100ms' as $$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('akashi_archive.%I', partition_name)::regclass;
begin
  if not exists (
    select from akashi_lifecycle.exports e
    where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound, e.partition_name, e.state)
        = (reattach_partition.schema_name, reattach_partition.table_name, reattach_partition.lower_bound,
           reattach_partition.upper_bound, reattach_partition.partition_name, 'detached')) then
    raise exception '%.% has no detached partition %', schema_name, table_name, partition_name using errcode = 'undefined_object';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('akashi.partitions', parent::oid::bigint));
  if akashi_lifecycle.uncovered(parent, lower_bound, upper_bound) <> tstzmultirange(tstzrange(lower_bound, upper_bound)) then
    raise exception '%.% has another partition for the time of %', schema_name, table_name, partition_name using errcode = 'AK003',
      hint = format('its rows are in akashi_archive.%I: detach and drop the other partition once its rows are elsewhere', partition_name);
  end if;
  execute format('drop trigger refuse_insert on akashi_archive.%I', partition_name);
  if not (akashi_lifecycle.policy_of(parent)).append_only then
    execute format('drop trigger refuse_change on akashi_archive.%I', partition_name);
  end if;
  execute format('drop policy archived_read on akashi_archive.%I', partition_name);
  execute format('revoke all on akashi_archive.%I from akashi_worker', partition_name);
  -- The constraint lets ATTACH skip its scan.
  execute format('alter table akashi_archive.%I add constraint bounds check (created_at >= %L and created_at < %L)',
    partition_name, lower_bound, upper_bound);
  execute format('comment on table akashi_archive.%I is null', partition_name);
  execute format('alter table akashi_archive.%I set schema %I', partition_name, schema_name);
  execute format('alter table %s attach partition %s for values from (%L) to (%L)', parent, child, lower_bound, upper_bound);
  execute format('alter table %s drop constraint bounds', child);
  perform akashi_lifecycle.mark_restored(schema_name, table_name, lower_bound, upper_bound, keep_until, 'detached');
end
$$;
comment on function akashi_lifecycle.reattach_partition(text, text, text, timestamptz, timestamptz, timestamptz) is
  'Puts a detached partition back into its table.';

grant execute on function akashi_lifecycle.detach_partition(text, text, text, timestamptz), akashi_lifecycle.fence_partition(text, text, text), akashi_lifecycle.freeze_detached(text),
  akashi_lifecycle.reattach_partition(text, text, text, timestamptz, timestamptz, timestamptz), akashi_lifecycle.drop_detached(text, text, text, timestamptz, timestamptz, text[], timestamptz) to akashi_worker;

-- Fails unless the total retention of a period is over, now and not as of another time: what goes is gone.
create function akashi_lifecycle.assert_retirable(schema_name text, table_name text, upper_bound timestamptz)
  returns akashi_lifecycle.policies language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  policy akashi_lifecycle.policies;
begin
  select * into policy from akashi_lifecycle.policies p
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

-- Says that the objects of an export are about to be deleted: from here on nobody reads them. Returns false when
-- the export is at no such point. Called again for one that is retiring it only checks that it still may.
create function akashi_lifecycle.begin_retiring(export uuid, record uuid) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  own akashi_lifecycle.exports;
  own_log text;
begin
  select * into own from akashi_lifecycle.exports e where e.id = begin_retiring.export for update;
  if not found or own.state not in ('dropped', 'superseded', 'retiring') then
    return false;
  end if;
  perform akashi_lifecycle.assert_retirable(own.schema_name, own.table_name, own.upper_bound);
  select l.log into own_log from akashi_audit.logs l where (l.schema_name, l.table_name) = (own.schema_name, own.table_name);
  if own_log is not null and own.row_count > 0
     and not akashi_audit.retention_covers(record, own_log, own.lower_bound, own.upper_bound, own.last_position) then
    raise exception 'the export has no retention record that covers its rows' using errcode = 'AK003';
  end if;
  update akashi_lifecycle.exports e set state = 'retiring', retention_record = record, message = null
  where e.id = begin_retiring.export and e.state in ('dropped', 'superseded');
  return true;
end
$$;

-- Takes back begin_retiring where no object was deleted yet.
create function akashi_lifecycle.cancel_retiring(export uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update akashi_lifecycle.exports e set state = 'dropped', retention_record = null
  where e.id = cancel_retiring.export and e.state = 'retiring';
end
$$;

create function akashi_lifecycle.finish_retiring(export uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  own akashi_lifecycle.exports;
begin
  update akashi_lifecycle.exports e set state = 'retired', retired_at = clock_timestamp(), message = null
  where e.id = finish_retiring.export and e.state = 'retiring' returning * into own;
  if found then
    perform akashi_audit.record_action('archive', 'retire', format('%I.%I', own.schema_name, own.table_name), own.partition_name, 'SUCCESS',
      jsonb_build_object('from', own.lower_bound, 'to', own.upper_bound, 'generation', own.generation, 'rows', own.row_count,
        'manifest', own.manifest, 'manifest_sha256', own.manifest_sha256, 'retention_record', own.retention_record));
  end if;
end
$$;

-- Drops a partition of a table that is retired rather than archived. Every row of it must be named by a retention
-- record, which is looked at where nobody can write to it.
create function akashi_lifecycle.drop_retired(schema_name text, table_name text, partition_name text) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '100ms' as $$
#variable_conflict use_variable
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('%I.%I', schema_name, partition_name)::regclass;
  bounds record;
  policy akashi_lifecycle.policies;
  counted bigint;
  own_log text;
begin
  perform pg_advisory_xact_lock(hashtextextended('akashi.partitions', parent::oid::bigint));
  if not exists (select from pg_catalog.pg_inherits i where i.inhparent = parent and i.inhrelid = child) then
    raise exception '%.% is not a partition of %', schema_name, partition_name, parent using errcode = 'undefined_object';
  end if;
  select * into bounds from akashi_lifecycle.partition_bounds(child);
  policy := akashi_lifecycle.assert_retirable(schema_name, table_name, bounds.upper);
  if policy.at_expiry <> 'retire' then
    raise exception '%.% is archived, not retired', schema_name, table_name using errcode = 'AK003';
  end if;
  execute format('lock table only %s in access exclusive mode', parent);
  execute format('lock table only %s in access exclusive mode', child);
  if row_security_active(child) then
    execute format('create policy akashi_retire on %s for select to akashi_owner using (true)', child);
  end if;
  execute format('select count(*) from only %s', child) into counted;
  select l.log into own_log from akashi_audit.logs l where (l.schema_name, l.table_name) = (drop_retired.schema_name, drop_retired.table_name);
  if own_log is not null and akashi_audit.has_unrecorded_rows(own_log, child, counted, bounds.lower, bounds.upper) then
    raise exception '%.% has rows that no retention record names', schema_name, partition_name
      using errcode = 'AK003', hint = 'rows came since: the next run records them too';
  end if;
  execute format('alter table %s detach partition %s', parent, child);
  execute format('drop table %I.%I', schema_name, partition_name);
  perform akashi_audit.record_action('archive', 'retire', format('%I.%I', schema_name, table_name), partition_name, 'SUCCESS',
    jsonb_build_object('from', bounds.lower, 'to', bounds.upper, 'rows', counted));
  return counted;
end
$$;

grant execute on function akashi_lifecycle.begin_retiring(uuid, uuid), akashi_lifecycle.cancel_retiring(uuid), akashi_lifecycle.finish_retiring(uuid),
  akashi_lifecycle.drop_retired(text, text, text) to akashi_worker;

-- Where any row lives and has lived, for every row that the ledger knows.

-- Every time that a period was brought back, not only the last: the trail has them all.
create view akashi_lifecycle.partition_restores with (security_invoker = true) as
  select split_part(a.resource, '.', 1) as schema_name, split_part(a.resource, '.', 2) as table_name,
         (a.detail ->> 'from')::timestamptz as lower_bound, (a.detail ->> 'to')::timestamptz as upper_bound,
         a.created_at as restored_at, (a.detail ->> 'keep_until')::timestamptz as keep_until, a.db_user as restored_by
  from akashi_audit.recorded_actions a
  where a.event_type = 'archive' and a.action = 'restore' and a.result = 'SUCCESS';
comment on view akashi_lifecycle.partition_restores is 'Periods that were brought back from the archive, each time.';

create view akashi_lifecycle.data_lineage with (security_invoker = true) as
  select n.schema_name, n.table_name, n.row_id, n.created_at, n.log, n.position, n.entry_hash,
         case e.state when 'verified' then 'database and store' when 'detached' then 'archive schema and store'
                      when 'dropped' then 'store' when 'retiring' then 'store, being retired' when 'retired' then 'nowhere: retired'
                      else 'database' end as lives_in,
         coalesce(e.partition_name, akashi_lifecycle.partition_name(n.table_name, n.created_at, p.interval)) as partition_name,
         e.id as export_id, e.generation, e.state as export_state, e.folder, e.manifest, e.manifest_sha256,
         e.verified_at as exported_at, e.detached_at, e.dropped_at, e.restored_at,
         (select jsonb_agg(jsonb_build_object('restored_at', r.restored_at, 'keep_until', r.keep_until, 'by', r.restored_by)
                           order by r.restored_at)
          from akashi_lifecycle.partition_restores r
          where r.schema_name = n.schema_name and r.table_name = n.table_name
            and r.lower_bound <= n.created_at and n.created_at < r.upper_bound) as restores,
         n.checkpoint_size, n.checkpoint_epoch, n.checkpoint_published_at,
         case when e.state in ('verified', 'detached', 'dropped') then null else n.retention_record_id end as retention_record_id,
         case when e.state in ('verified', 'detached', 'dropped') then null else n.retired_at end as retired_at
  from akashi_audit.sealed_rows n
  join akashi_lifecycle.policies p on (p.schema_name, p.table_name) = (n.schema_name, n.table_name)
  left join akashi_lifecycle.exports e
    on e.schema_name = n.schema_name and e.table_name = n.table_name and e.state not in ('exporting', 'superseded')
    and e.lower_bound <= n.created_at and n.created_at < e.upper_bound
    and n.position between e.first_position and e.last_position;
comment on view akashi_lifecycle.data_lineage is
  'One row for every sealed row: its place in the ledger, the partition and export that hold it, the manifest that names its object, the first published checkpoint that covers it, every restore, and the retention record that ended it. Ask for a row_id.';
comment on column akashi_lifecycle.data_lineage.manifest is 'Names the object whose positions hold this one.';
grant select on akashi_lifecycle.partition_restores, akashi_lifecycle.data_lineage to akashi_worker, akashi_security_admin;

-- The archive as it is called from SQL.
-- Tables that wait in schema akashi_archive, and what has left it.
create function akashi_archive.get_archive_status() returns table (
  table_name text, partition_name text, state text, row_count bigint, size text, size_bytes bigint, object text,
  exported_at timestamptz, dropped_at timestamptz, message text
)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select format('%s.%s', e.schema_name, e.table_name), e.partition_name, e.state, e.row_count,
         pg_size_pretty(own.bytes), own.bytes, e.manifest, e.verified_at, e.dropped_at, e.message
  from akashi_lifecycle.exports e
  cross join lateral (
    select coalesce(pg_total_relation_size(case e.state
      when 'detached' then to_regclass(format('akashi_archive.%I', e.partition_name))
      when 'superseded' then null when 'dropped' then null when 'retiring' then null when 'retired' then null
      else to_regclass(format('%I.%I', e.schema_name, e.partition_name)) end), 0) as bytes
  ) own
  order by e.schema_name, e.table_name, e.lower_bound, e.generation
$$;
comment on function akashi_archive.get_archive_status() is 'Every export with its state, rows, size in PostgreSQL and manifest in the store.';

-- The worker does what is due, since a function can neither upload nor commit in between: without p_dry_run it asks
-- the worker to begin. Either way it returns what is due.
create function akashi_archive.process_archived_partitions(p_dry_run boolean default false)
  returns table (table_name text, row_count bigint, exported boolean, dropped boolean, message text)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not p_dry_run then
    perform akashi_lifecycle.request_job('archive-export');
    perform akashi_lifecycle.request_job('archive-expire');
  end if;
  return query
    select p.partition_name, p.row_count, coalesce(p.state in ('verified', 'detached'), false), false,
           format('%s: %s.%s (%s%s rows)',
             case when p.held_by is not null then 'Would keep' when p_dry_run then 'Would process' else 'Queued' end,
             p.schema_name, p.partition_name, case when p.estimated then 'about ' else '' end, p.row_count)
    from akashi_lifecycle.archive_plan(now()) p where p.step is not null;
end
$$;
comment on function akashi_archive.process_archived_partitions(boolean) is
  'Asks the worker to export and drop what is due, and returns what that is; with true it only returns it.';

grant execute on function akashi_archive.get_archive_status(), akashi_archive.process_archived_partitions(boolean)
  to akashi_worker, akashi_security_admin;

insert into akashi_lifecycle.jobs (name, schedule, task, timeout, description) values
  ('archive-export', '0 2 * * *', 'archive.export', '12 hours', 'export partitions that closed to the object store, and compare what it gives back'),
  ('archive-expire', '0 3 * * *', 'archive.expire', '12 hours', 'verify, detach and drop partitions whose time in PostgreSQL is over'),
  ('archive-retire', '0 4 * * *', 'archive.retire', '12 hours', 'delete data past its total retention, after a signed retention record');
