-- The archive's state machine: what was exported, compared, detached and dropped, one row per object set.
set local role akashi_owner;

alter table lifecycle.policies
  add column lateness interval not null default '1 day' check (lateness >= interval '0'),
  add column format text not null default 'parquet' check (format in ('parquet', 'parquet+csv'));
comment on column lifecycle.policies.lateness is 'How long after its end a partition still takes rows that are in time; then it is exported.';
comment on column lifecycle.policies.format is 'parquet, or parquet+csv for a CSV copy beside it.';
-- Events are taken in over HTTP up to seven days late.
update lifecycle.policies set lateness = '7 days' where (schema_name, table_name) = ('security', 'security_events');

-- Entries of one partition are counted by time; a B-tree would cost the sealer more than this.
create index ledger_entries_created_at_idx on audit.ledger_entries using brin (created_at) with (pages_per_range = 32, autosummarize = on);

create table lifecycle.exports (
  id               uuid primary key default audit.uuid_v7(),
  schema_name      text not null,
  table_name       text not null,
  partition_name   text not null,
  lower_bound      timestamptz not null,
  upper_bound      timestamptz not null,
  generation       integer not null check (generation >= 0),
  state            text not null default 'exporting'
                   check (state in ('exporting', 'verified', 'detached', 'dropped')),
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
  unique (schema_name, table_name, lower_bound, upper_bound, generation),
  check (lower_bound < upper_bound),
  check (state = 'exporting' or (manifest_sha256 is not null and fingerprint is not null and row_count is not null
                                 and objects is not null and bytes is not null and verified_at is not null))
);
comment on table lifecycle.exports is
  'One row per export of a partition: generation 0 when it closed, later ones for rows that came afterwards.';
comment on column lifecycle.exports.state is
  'exporting; verified: read back and compared, manifest published; detached: in schema archive; dropped: only in the store.';
comment on column lifecycle.exports.after_key is 'The export holds rows behind this key of its order; null for the first.';
comment on column lifecycle.exports.upto_key is 'Up to this key: the sealed frontier of the moment; null where the table has no log.';
comment on column lifecycle.exports.fingerprint is
  'SHA-256 of COPY … TO STDOUT (FORMAT csv, FORCE_QUOTE *) of the rows in order.';
comment on column lifecycle.exports.keep_until is 'A restored partition is not detached again before this time.';
comment on column lifecycle.exports.message is 'Why the last attempt failed; null when it did not.';

alter table lifecycle.exports enable row level security;
alter table lifecycle.exports force row level security;
create policy exports_worker on lifecycle.exports to akashi_worker using (true) with check (true);
create policy exports_read on lifecycle.exports for select to akashi_security_admin, akashi_reader using (true);
create policy exports_owner on lifecycle.exports to akashi_owner using (true) with check (true);
grant select on lifecycle.exports to akashi_worker, akashi_security_admin, akashi_reader;
grant insert (schema_name, table_name, partition_name, lower_bound, upper_bound, generation, folder, manifest, after_key)
  on lifecycle.exports to akashi_worker;
grant update (state, partition_name, manifest_sha256, fingerprint, row_count, objects, bytes, upto_key, first_position, last_position, message)
  on lifecycle.exports to akashi_worker;

-- What was compared stays as it was compared, and only the owner's functions say that a table is gone.
create function lifecycle.keep_export() returns trigger
  language plpgsql set search_path = '' as $$
begin
  new.updated_at := clock_timestamp();
  new.last_modified_by := session_user;
  if (new.schema_name, new.table_name, new.lower_bound, new.upper_bound, new.generation, new.folder, new.manifest)
     is distinct from (old.schema_name, old.table_name, old.lower_bound, old.upper_bound, old.generation, old.folder, old.manifest) then
    raise exception 'an export keeps what it is of' using errcode = 'AK001';
  end if;
  if old.state <> 'exporting' and (
    (new.manifest_sha256, new.fingerprint, new.row_count, new.objects, new.bytes, new.after_key, new.upto_key)
     is distinct from (old.manifest_sha256, old.fingerprint, old.row_count, old.objects, old.bytes, old.after_key, old.upto_key)
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
create trigger keep_export before update on lifecycle.exports for each row execute function lifecycle.keep_export();
alter table lifecycle.exports enable always trigger keep_export;
select audit.exempt('lifecycle.exports', 'history that only the worker writes; drops and restores are actions of the trail');

-- Fails unless a partition may leave: its policy says so, it is out of its hot time, every export of it was
-- compared, and nobody holds it.
create function lifecycle.assert_expired(schema_name text, table_name text, lower_bound timestamptz, upper_bound timestamptz, as_of timestamptz)
  returns void language plpgsql stable set search_path = '' as $$
declare
  policy lifecycle.policies;
  undone integer;
  done integer;
  held timestamptz;
begin
  select * into policy from lifecycle.policies p
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
  from lifecycle.exports e
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
create function lifecycle.fence_partition(schema_name text, table_name text, partition_name text) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  execute format('lock table only %I.%I in access exclusive mode', schema_name, table_name);
  execute format('lock table only %I.%I in access exclusive mode', schema_name, partition_name);
end
$$;

-- Takes a partition out of its table into schema archive, guarded against every change, in one transaction:
-- no moment in which it is half detached.
create function lifecycle.detach_partition(schema_name text, table_name text, partition_name text, as_of timestamptz default now())
  returns void language plpgsql security definer set search_path = '' set timezone = 'UTC' as $$
declare
  parent constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  child constant regclass := format('%I.%I', schema_name, partition_name)::regclass;
  bounds record;
begin
  perform pg_advisory_xact_lock(hashtextextended('akashi.partitions', parent::oid::bigint));
  if not exists (select from pg_catalog.pg_inherits i where i.inhparent = parent and i.inhrelid = child) then
    raise exception '%.% is no partition of %', schema_name, partition_name, parent using errcode = 'undefined_object';
  end if;
  select * into bounds from lifecycle.partition_bounds(child);
  perform lifecycle.assert_expired(schema_name, table_name, bounds.lower, bounds.upper, as_of);
  execute format('alter table %s detach partition %s', parent, child);
  execute format('alter table %s set schema archive', child);
  execute format('revoke all on archive.%I from public, akashi_app, akashi_worker, akashi_reader, akashi_security_admin', partition_name);
  execute format('create policy archived_read on archive.%I for select to akashi_worker using (true)', partition_name);
  execute format('grant select on archive.%I to akashi_worker', partition_name);
  perform audit.guard(format('archive.%I', partition_name)::regclass);
  execute format('create or replace trigger refuse_insert before insert on archive.%I
    for each statement execute function audit.refuse_change()', partition_name);
  execute format('alter table archive.%I enable always trigger refuse_insert', partition_name);
  execute format('comment on table archive.%I is %L', partition_name,
    format('detached from %s, rows from %s to %s', parent, bounds.lower, bounds.upper));
  update lifecycle.exports e set state = 'detached', detached_at = clock_timestamp()
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (detach_partition.schema_name, detach_partition.table_name, bounds.lower, bounds.upper) and e.state = 'verified';
end
$$;
comment on function lifecycle.detach_partition(text, text, text, timestamptz) is
  'Moves an expired partition with verified exports into schema archive; read-only there.';

-- Keeps a detached table as it is until the transaction ends, so that what is compared is what is dropped.
create function lifecycle.freeze_detached(partition_name text) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  execute format('lock table archive.%I in share mode', partition_name);
end
$$;

-- Drops a detached table. The caller compared its rows with the exports in the same transaction, frozen.
create function lifecycle.drop_detached(schema_name text, table_name text, partition_name text, lower_bound timestamptz,
  upper_bound timestamptz, fingerprints text[], as_of timestamptz default now())
  returns void language plpgsql security definer set search_path = '' set timezone = 'UTC' as $$
declare
  expected text[];
begin
  perform lifecycle.assert_expired(schema_name, table_name, lower_bound, upper_bound, as_of);
  select array_agg(e.fingerprint order by e.generation) into expected from lifecycle.exports e
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (drop_detached.schema_name, drop_detached.table_name, drop_detached.lower_bound, drop_detached.upper_bound)
    and e.state = 'detached';
  if expected is null or expected is distinct from fingerprints then
    raise exception 'archive.% is not what was exported', partition_name using errcode = 'AK002',
      hint = 'the table is kept; compare it with its Parquet files';
  end if;
  execute format('drop table archive.%I', partition_name);
  update lifecycle.exports e set state = 'dropped', dropped_at = clock_timestamp(), message = null
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (drop_detached.schema_name, drop_detached.table_name, drop_detached.lower_bound, drop_detached.upper_bound)
    and e.state = 'detached';
  perform audit.record_action('archive', 'drop', format('%I.%I', schema_name, table_name), partition_name, 'SUCCESS',
    jsonb_build_object('from', lower_bound, 'to', upper_bound, 'fingerprints', to_jsonb(fingerprints)));
end
$$;

-- Says that the rows of a period are back in their table: it is archived again when keep_until is over.
create function lifecycle.mark_restored(schema_name text, table_name text, lower_bound timestamptz, upper_bound timestamptz, keep_until timestamptz)
  returns void language plpgsql set search_path = '' set timezone = 'UTC' as $$
begin
  update lifecycle.exports e
  set state = 'verified', restored_at = clock_timestamp(), keep_until = mark_restored.keep_until, message = null
  where (e.schema_name, e.table_name, e.lower_bound, e.upper_bound)
      = (mark_restored.schema_name, mark_restored.table_name, mark_restored.lower_bound, mark_restored.upper_bound)
    and e.state = 'dropped';
  perform audit.record_action('archive', 'restore', format('%I.%I', schema_name, table_name), null, 'SUCCESS',
    jsonb_build_object('from', lower_bound, 'to', upper_bound, 'keep_until', keep_until));
end
$$;

create function lifecycle.hold(schema_name text, table_name text, held boolean, reason text default null) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  update lifecycle.policies p set legal_hold = held
  where (p.schema_name, p.table_name) = (hold.schema_name, hold.table_name);
  if not found then
    raise exception '%.% has no lifecycle policy', schema_name, table_name using errcode = 'undefined_object';
  end if;
  perform audit.record_action('archive', case when held then 'hold' else 'release' end, format('%I.%I', schema_name, table_name),
    null, 'SUCCESS', jsonb_strip_nulls(jsonb_build_object('reason', reason)));
end
$$;
comment on function lifecycle.hold(text, text, boolean, text) is
  'Puts a table under legal hold, or ends it: while it lasts nothing of the table is dropped, retired or deleted.';

grant execute on function lifecycle.detach_partition(text, text, text, timestamptz), lifecycle.fence_partition(text, text, text), lifecycle.freeze_detached(text),
  lifecycle.drop_detached(text, text, text, timestamptz, timestamptz, text[], timestamptz) to akashi_worker;
grant execute on function lifecycle.hold(text, text, boolean, text) to akashi_worker, akashi_security_admin;
