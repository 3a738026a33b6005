-- The ledger: each log is an append-only Merkle tree (RFC 6962) over the hashes of its rows.
-- docs/ledger.md specifies the encoding, the tree, the signed notes, epochs and records of retention.
set local role akashi_owner;

create view akashi_audit.logs with (security_invoker = true) as
  select log, schema_name, table_name from (values
    ('audit_logs',      'akashi_audit',    'audit_logs'),
    ('security_events', 'akashi_security', 'security_events'),
    ('login_attempts',  'akashi_auth',     'login_attempts')
  ) as sealed (log, schema_name, table_name);
comment on view akashi_audit.logs is 'The logs of the ledger and the tables whose rows they seal.';
grant select on akashi_audit.logs to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;

create table akashi_audit.ledger_heads (
  log               text primary key check (log ~ '^[a-z_]+$'),
  epoch             integer not null default 1 check (epoch > 0),
  origin            text not null,
  size              bigint not null default 0 check (size >= 0),
  root              bytea not null check (octet_length(root) = 32),
  note              text,
  last_xid          xid8 not null default '0',
  last_seq          bigint not null default 0,
  sealed_at         timestamptz,
  seq_floor         bigint not null default 0,
  system_identifier bigint,
  timeline          integer
);
comment on table akashi_audit.ledger_heads is
  'The head of each log: how far it is sealed, and the signed checkpoint of that size.';
comment on column akashi_audit.ledger_heads.last_xid is 'The frontier: every row at or before (last_xid, last_seq) is in the tree.';
comment on column akashi_audit.ledger_heads.seq_floor is
  'Rows up to this seq were written before the epoch: all of them that had to be sealed are in the tree, whatever their xid.';
comment on column akashi_audit.ledger_heads.system_identifier is 'The cluster that the epoch was opened in; in another one its xids mean nothing.';
alter table akashi_audit.ledger_heads enable row level security, force row level security;
create policy ledger_heads_worker on akashi_audit.ledger_heads to akashi_worker using (true) with check (true);
create policy ledger_heads_read on akashi_audit.ledger_heads for select to akashi_app, akashi_security_admin, akashi_reader using (true);
create policy ledger_heads_owner on akashi_audit.ledger_heads to akashi_owner using (true) with check (true);
grant select on akashi_audit.ledger_heads to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;
grant insert, update on akashi_audit.ledger_heads to akashi_worker;

-- A head never shrinks and cannot be removed.
create function akashi_audit.keep_head() returns trigger language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  if new.log is distinct from old.log or new.size < old.size or new.epoch < old.epoch
     or (new.epoch = old.epoch and (new.last_xid, new.last_seq) < (old.last_xid, old.last_seq)) then
    raise exception 'the head of log % cannot move back', old.log
      using errcode = 'AK001', hint = 'the ledger is append-only; run verify';
  end if;
  return new;
end
$$;
create trigger keep_head before update on akashi_audit.ledger_heads for each row execute function akashi_audit.keep_head();
alter table akashi_audit.ledger_heads enable always trigger keep_head;
create trigger refuse_change before delete or truncate on akashi_audit.ledger_heads
  for each statement execute function akashi_audit.refuse_change();
alter table akashi_audit.ledger_heads enable always trigger refuse_change;

create table akashi_audit.ledger_entries (
  log        text not null,
  position   bigint not null check (position >= 0),
  row_id     uuid not null,
  created_at timestamptz not null,
  entry_hash bytea not null check (octet_length(entry_hash) = 32),
  primary key (log, position)
);
comment on table akashi_audit.ledger_entries is
  'One row for each sealed row of a log, at its position in the tree. Append-only.';
create index ledger_entries_row_idx on akashi_audit.ledger_entries (row_id);
-- For readers that process the rows of a log in order and exactly once: the rows sealed at and after a position.
create function akashi_audit.rows_from(log text, first bigint, up_to integer)
  returns table (ledger_position bigint, row_id uuid, created_at timestamptz)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select e.position, e.row_id, e.created_at from akashi_audit.ledger_entries e
  where e.log = rows_from.log and e.position >= first and e.position < first + up_to order by e.position
$$;
comment on function akashi_audit.rows_from(text, bigint, integer) is 'The sealed rows of a log from a position on, in order, up to a maximum number.';
grant execute on function akashi_audit.rows_from(text, bigint, integer) to akashi_worker, akashi_security_admin;
create function akashi_audit.sealed_size(log text) returns bigint
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce((select h.size from akashi_audit.ledger_heads h where h.log = sealed_size.log), 0)
$$;
comment on function akashi_audit.sealed_size(text) is 'How many rows of a log are sealed.';
grant execute on function akashi_audit.sealed_size(text) to akashi_worker, akashi_security_admin;
create function akashi_audit.position_of(log text, row_id uuid) returns bigint
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select e.position from akashi_audit.ledger_entries e where e.row_id = position_of.row_id and e.log = position_of.log
$$;
comment on function akashi_audit.position_of(text, uuid) is 'The position of a row of a log in the ledger; null while it is not sealed.';
grant execute on function akashi_audit.position_of(text, uuid) to akashi_worker, akashi_security_admin;
create function akashi_audit.changed_records(schema_name text, table_name text, first bigint, up_to integer)
  returns table (ledger_position bigint, record_id text)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select e.ledger_position, a.record_id
  from akashi_audit.rows_from('audit_logs', first, up_to) e
  join akashi_audit.audit_logs a on (a.id, a.created_at) = (e.row_id, e.created_at)
  where a.schema_name = changed_records.schema_name and a.table_name = changed_records.table_name order by 1
$$;
comment on function akashi_audit.changed_records(text, text, bigint, integer) is
  'The keys of the records of a table that changed, by the rows of the trail from a position on, up to a maximum number of rows.';
grant execute on function akashi_audit.changed_records(text, text, bigint, integer) to akashi_worker;
-- For counting the entries of one partition by time; a B-tree would slow the sealer down more.
create index ledger_entries_created_at_idx on akashi_audit.ledger_entries using brin (created_at) with (pages_per_range = 32, autosummarize = on);
alter table akashi_audit.ledger_entries enable row level security, force row level security;
create policy ledger_entries_worker on akashi_audit.ledger_entries to akashi_worker using (true) with check (true);
create policy ledger_entries_read on akashi_audit.ledger_entries for select to akashi_app, akashi_security_admin, akashi_reader using (true);
create policy ledger_entries_owner on akashi_audit.ledger_entries to akashi_owner using (true) with check (true);
grant select on akashi_audit.ledger_entries to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;
grant insert on akashi_audit.ledger_entries to akashi_worker;
select akashi_audit.guard('akashi_audit.ledger_entries');

create table akashi_audit.ledger_tiles (
  log    text not null,
  level  smallint not null check (level between 0 and 7),
  tile   bigint not null check (tile >= 0),
  hashes bytea not null check (octet_length(hashes) >= 32 and octet_length(hashes) <= 8192 and octet_length(hashes) % 32 = 0),
  primary key (log, level, tile)
);
comment on table akashi_audit.ledger_tiles is
  'Merkle tree hashes in tiles of 256 (C2SP tlog-tiles): level 0 holds leaf hashes, level 1 the roots of full level-0 tiles, and so on. Only the last tile of a level still grows.';
alter table akashi_audit.ledger_tiles enable row level security, force row level security;
create policy ledger_tiles_worker on akashi_audit.ledger_tiles to akashi_worker using (true) with check (true);
create policy ledger_tiles_read on akashi_audit.ledger_tiles for select to akashi_app, akashi_security_admin, akashi_reader using (true);
create policy ledger_tiles_owner on akashi_audit.ledger_tiles to akashi_owner using (true) with check (true);
grant select on akashi_audit.ledger_tiles to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;
grant insert, update on akashi_audit.ledger_tiles to akashi_worker;

-- A tile only gains hashes; present ones never change, and it cannot be removed.
create function akashi_audit.keep_tile() returns trigger language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  if (new.log, new.level, new.tile) is distinct from (old.log, old.level, old.tile)
     or substring(new.hashes from 1 for octet_length(old.hashes)) is distinct from old.hashes then
    raise exception 'tile % of level % of log % already has other hashes', old.tile, old.level, old.log
      using errcode = 'AK001', hint = 'the ledger is append-only; run verify';
  end if;
  return new;
end
$$;
create trigger keep_tile before update on akashi_audit.ledger_tiles for each row execute function akashi_audit.keep_tile();
alter table akashi_audit.ledger_tiles enable always trigger keep_tile;
create trigger refuse_change before delete or truncate on akashi_audit.ledger_tiles
  for each statement execute function akashi_audit.refuse_change();
alter table akashi_audit.ledger_tiles enable always trigger refuse_change;

create table akashi_audit.ledger_checkpoints (
  log          text not null,
  epoch        integer not null,
  size         bigint not null,
  root         bytea not null check (octet_length(root) = 32),
  note         text not null,
  published_at timestamptz not null default now(),
  xid          xid8 not null default pg_current_xact_id(),
  primary key (log, epoch, size)
);
comment on table akashi_audit.ledger_checkpoints is
  'Checkpoints that were published: signed notes that outlive any later head.';
comment on column akashi_audit.ledger_checkpoints.xid is
  'The transaction that stored it: rows of later transactions are not older than published_at.';
alter table akashi_audit.ledger_checkpoints enable row level security, force row level security;
create policy ledger_checkpoints_worker on akashi_audit.ledger_checkpoints to akashi_worker using (true) with check (true);
create policy ledger_checkpoints_read on akashi_audit.ledger_checkpoints for select to akashi_app, akashi_security_admin, akashi_reader using (true);
create policy ledger_checkpoints_owner on akashi_audit.ledger_checkpoints to akashi_owner using (true) with check (true);
grant select on akashi_audit.ledger_checkpoints to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;
grant insert, delete on akashi_audit.ledger_checkpoints to akashi_worker;

-- Of checkpoints older than 40 days one an hour is kept, of those older than 400 days one a day: the last, which covers
-- the entries of the others. Whether one goes depends on when the next was published; one that may go always may.
create function akashi_audit.is_thinned_out(published_at timestamptz, next_published_at timestamptz) returns boolean
  language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
  select coalesce(case
    when published_at < now() - interval '400 days' then date_trunc('day', published_at, 'UTC') = date_trunc('day', next_published_at, 'UTC')
    when published_at < now() - interval '40 days' then date_trunc('hour', published_at, 'UTC') = date_trunc('hour', next_published_at, 'UTC')
  end, false)
$$;
grant execute on function akashi_audit.is_thinned_out(timestamptz, timestamptz) to akashi_worker, akashi_security_admin;

create function akashi_audit.keep_checkpoint() returns trigger language plpgsql set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
  if not akashi_audit.is_thinned_out(old.published_at, (
       select c.published_at from akashi_audit.ledger_checkpoints c
       where (c.log, c.epoch) = (old.log, old.epoch) and c.size > old.size order by c.size limit 1)) then
    raise exception 'the checkpoint of size % of log % is kept', old.size, old.log
      using errcode = 'AK001', hint = 'only old checkpoints are removed, and the last of an hour or a day never';
  end if;
  return old;
end
$$;
create trigger keep_checkpoint before delete on akashi_audit.ledger_checkpoints
  for each row execute function akashi_audit.keep_checkpoint();
alter table akashi_audit.ledger_checkpoints enable always trigger keep_checkpoint;
create trigger refuse_change before update or truncate on akashi_audit.ledger_checkpoints
  for each statement execute function akashi_audit.refuse_change();
alter table akashi_audit.ledger_checkpoints enable always trigger refuse_change;

create table akashi_audit.ledger_epochs (
  log             text not null,
  epoch           integer not null check (epoch > 1),
  origin          text not null unique,
  cause           text not null check (cause in ('ordered', 'conflict', 'older', 'moved', 'rekeyed')),
  reason          text not null,
  previous_origin text not null,
  previous_size   bigint not null check (previous_size >= 0),
  previous_root   bytea not null check (octet_length(previous_root) = 32),
  common_size     bigint not null check (common_size >= 0),
  given_up        text[] not null,
  size            bigint not null check (size >= common_size),
  root            bytea not null check (octet_length(root) = 32),
  retention_digest bytea not null check (octet_length(retention_digest) = 32),
  note            text not null,
  opened_at       timestamptz not null default now(),
  primary key (log, epoch)
);
comment on table akashi_audit.ledger_epochs is
  'Epochs: after a restore, or when the database does not continue what it published, a log continues under a new name that is linked to the old head by a signed note.';
comment on column akashi_audit.ledger_epochs.cause is
  'ordered: by an administrator or a restore; conflict: a different checkpoint of the same size was published; older: more was published than the database has; moved: another cluster or timeline; rekeyed: the signing key was replaced.';
comment on column akashi_audit.ledger_epochs.common_size is
  'Entries that the published old history and this one share; later entries of the old one are abandoned.';

comment on column akashi_audit.ledger_epochs.retention_digest is
  'Digest of the retention records that existed when the epoch began: SHA-256 over the SHA-256 of each note, in ascending order.';
comment on column akashi_audit.ledger_epochs.given_up is
  'Origins of epochs published by a database that no longer exists; this database was copied before them.';

alter table akashi_audit.ledger_epochs enable row level security, force row level security;
create policy ledger_epochs_worker on akashi_audit.ledger_epochs to akashi_worker using (true) with check (true);
create policy ledger_epochs_read on akashi_audit.ledger_epochs for select to akashi_app, akashi_security_admin, akashi_reader using (true);
create policy ledger_epochs_owner on akashi_audit.ledger_epochs to akashi_owner using (true) with check (true);
grant select on akashi_audit.ledger_epochs to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;
grant insert on akashi_audit.ledger_epochs to akashi_worker;
select akashi_audit.guard('akashi_audit.ledger_epochs');

-- Witnesses to which the heads of the logs are submitted after publication.
create table akashi_audit.witnesses (
  name             text primary key check (name <> ''),
  url              text not null check (url ~ '^https?://'),
  verifier_key     text not null unique,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  created_by       text default coalesce(akashi_auth.current_user_id()::text, session_user),
  last_modified_by text
);
comment on table akashi_audit.witnesses is 'Witnesses (C2SP tlog-witness) that are asked to cosign every published head.';

alter table akashi_audit.witnesses enable row level security, force row level security;
create policy witnesses_read on akashi_audit.witnesses for select to akashi_worker, akashi_security_admin using (true);
create policy witnesses_owner on akashi_audit.witnesses to akashi_owner using (true) with check (true);
grant select on akashi_audit.witnesses to akashi_worker, akashi_security_admin;
create trigger update_updated_at before update on akashi_audit.witnesses
  for each row execute function akashi_auth.update_updated_at();

create table akashi_audit.ledger_cosignatures (
  log         text not null,
  epoch       integer not null,
  size        bigint not null check (size >= 0),
  witness     text not null,
  note        text not null,
  cosigned_at timestamptz not null,
  primary key (log, epoch, size, witness)
);
comment on table akashi_audit.ledger_cosignatures is 'Cosignatures of witnesses on published checkpoints.';
comment on column akashi_audit.ledger_cosignatures.note is 'The checkpoint with the signature lines of the log and of this witness.';
alter table akashi_audit.ledger_cosignatures enable row level security, force row level security;
create policy ledger_cosignatures_worker on akashi_audit.ledger_cosignatures to akashi_worker using (true) with check (true);
create policy ledger_cosignatures_read on akashi_audit.ledger_cosignatures for select to akashi_app, akashi_security_admin, akashi_reader using (true);
create policy ledger_cosignatures_owner on akashi_audit.ledger_cosignatures to akashi_owner using (true) with check (true);
grant select on akashi_audit.ledger_cosignatures to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;
grant insert on akashi_audit.ledger_cosignatures to akashi_worker;
select akashi_audit.guard('akashi_audit.ledger_cosignatures');

create table akashi_audit.verifications (
  id          uuid primary key default akashi_audit.uuid_v7(),
  started_at  timestamptz not null,
  finished_at timestamptz not null default clock_timestamp(),
  ok          boolean not null,
  report      jsonb not null,
  mode        text not null default 'full' check (mode in ('full', 'incremental', 'scrub'))
);
comment on table akashi_audit.verifications is 'The result of each verification; one with problems also raises an alarm.';
create index verifications_finished_at_idx on akashi_audit.verifications (finished_at desc);
alter table akashi_audit.verifications enable row level security, force row level security;
create policy verifications_worker on akashi_audit.verifications for insert to akashi_worker with check (true);
create policy verifications_read on akashi_audit.verifications for select to akashi_app, akashi_worker, akashi_security_admin using (true);
grant insert on akashi_audit.verifications to akashi_worker;
grant select on akashi_audit.verifications to akashi_app, akashi_worker, akashi_security_admin;
select akashi_audit.guard('akashi_audit.verifications');

create table akashi_audit.verified_heads (
  log         text primary key,
  epoch       integer not null,
  size        bigint not null check (size >= 0),
  note        text not null,
  last_xid    xid8 not null,
  last_seq    bigint not null,
  verified_at timestamptz not null,
  -- The scrub's cursor: rows up to here were checked for missing entries.
  scrub_xid   xid8 not null default '0',
  scrub_seq   bigint not null default 0
);
comment on table akashi_audit.verified_heads is
  'Up to where each log was verified without problems; an incremental verification continues from there. The signed note attests the log''s size and root.';
alter table akashi_audit.verified_heads enable row level security, force row level security;
create policy verified_heads_worker on akashi_audit.verified_heads to akashi_worker using (true) with check (true);
create policy verified_heads_read on akashi_audit.verified_heads for select to akashi_app, akashi_security_admin, akashi_reader using (true);
create policy verified_heads_owner on akashi_audit.verified_heads to akashi_owner using (true) with check (true);
grant select on akashi_audit.verified_heads to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;
grant insert, update on akashi_audit.verified_heads to akashi_worker;

create table akashi_audit.ledger_scrubs (
  log        text not null,
  unit       text not null check (unit ~ '^(slice|object)/'),
  checked_at timestamptz not null,
  primary key (log, unit)
);
comment on table akashi_audit.ledger_scrubs is
  'When each part of a log was last hashed: slices of positions, and objects of the archive.';
comment on column akashi_audit.ledger_scrubs.unit is
  'slice/<n, twelve digits>: positions n·65536 to n·65536 + 65535; object/<name>: an archived object.';
alter table akashi_audit.ledger_scrubs enable row level security, force row level security;
create policy ledger_scrubs_worker on akashi_audit.ledger_scrubs to akashi_worker using (true) with check (true);
create policy ledger_scrubs_read on akashi_audit.ledger_scrubs for select to akashi_app, akashi_security_admin, akashi_reader using (true);
create policy ledger_scrubs_owner on akashi_audit.ledger_scrubs to akashi_owner using (true) with check (true);
grant select on akashi_audit.ledger_scrubs to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;
grant insert, update, delete on akashi_audit.ledger_scrubs to akashi_worker;

create table akashi_audit.retention_records (
  id             uuid primary key default akashi_audit.uuid_v7(),
  log            text not null,
  partition_name text not null,
  lower_bound    timestamptz not null,
  upper_bound    timestamptz not null,
  first_position bigint not null,
  last_position  bigint not null,
  row_count      bigint not null check (row_count > 0),
  digest         bytea not null check (octet_length(digest) = 32),
  policy         text not null,
  note           text not null,
  retired_at     timestamptz not null default now(),
  check (lower_bound < upper_bound),
  check (first_position >= 0 and first_position <= last_position)
);
comment on table akashi_audit.retention_records is
  'Signed records of rows in a time range that a policy removed. Their entries stay in the tree.';
comment on column akashi_audit.retention_records.digest is
  'SHA-256 over position (8 bytes, most significant first) and entry hash of each retired entry, in ascending position.';
create unique index retention_records_first_idx on akashi_audit.retention_records (log, partition_name, first_position);
alter table akashi_audit.retention_records enable row level security, force row level security;
create policy retention_records_worker on akashi_audit.retention_records to akashi_worker using (true) with check (true);
create policy retention_records_read on akashi_audit.retention_records for select to akashi_app, akashi_security_admin, akashi_reader using (true);
create policy retention_records_owner on akashi_audit.retention_records to akashi_owner using (true) with check (true);
grant select on akashi_audit.retention_records to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;
select akashi_audit.guard('akashi_audit.retention_records');

-- Must be called before rows are removed. Refused under a legal hold, when a policy keeps the rows longer, and when
-- the number of entries differs from the given one.
create function akashi_audit.record_retention(log text, partition_name text, lower_bound timestamptz, upper_bound timestamptz,
  first_position bigint, last_position bigint, row_count bigint, digest bytea, policy text, note text) returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  record_id uuid;
  counted bigint;
  kept akashi_lifecycle.retention;
begin
  select r.* into kept from akashi_audit.logs l join akashi_lifecycle.retention r using (schema_name, table_name)
  where l.log = record_retention.log;
  if kept.legal_hold then
    raise exception 'rows of log % are under legal hold', log
      using errcode = 'AK003', hint = 'akashi archive hold --release ends it';
  end if;
  if kept.at_expiry = 'keep' or not coalesce(upper_bound + kept.total_retention <= clock_timestamp(), false) then
    raise exception 'rows of log % are kept: %', log, case when kept.at_expiry = 'keep' then 'they do not expire'
      else 'for ' || kept.total_retention end using errcode = 'AK003', hint = 'this depends on the policy of the table: akashi archive policy list';
  end if;
  select count(*) into counted from akashi_audit.ledger_entries e
  where e.log = record_retention.log and e.position between first_position and last_position
    and e.created_at >= lower_bound and e.created_at < upper_bound;
  if counted <> row_count then
    raise exception 'the range has % entries of log %, not %', counted, log, row_count
      using errcode = 'AK003', hint = 'count again: rows were sealed meanwhile';
  end if;
  insert into akashi_audit.retention_records (log, partition_name, lower_bound, upper_bound, first_position, last_position,
    row_count, digest, policy, note)
  values (log, partition_name, lower_bound, upper_bound, first_position, last_position, row_count, digest, policy, note)
  returning id into record_id;
  return record_id;
end
$$;
grant execute on function akashi_audit.record_retention(text, text, timestamptz, timestamptz, bigint, bigint, bigint, bytea, text, text)
  to akashi_worker;

-- Whether a retention record covers every entry of a range up to a position.
create function akashi_audit.retention_covers(record uuid, log text, lower_bound timestamptz, upper_bound timestamptz, last_position bigint)
  returns boolean language sql stable set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from akashi_audit.retention_records r
    where r.id = record and r.log = retention_covers.log and r.lower_bound <= retention_covers.lower_bound
      and retention_covers.upper_bound <= r.upper_bound and retention_covers.last_position <= r.last_position)
$$;

-- Whether rows of a partition would be removed without a record: each must be sealed, and the records must cover the
-- last entry of the period. The caller holds the partition's lock.
create function akashi_audit.has_unrecorded_rows(log text, part regclass, row_count bigint, lower_bound timestamptz, upper_bound timestamptz)
  returns boolean language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  entries bigint;
  last_entry bigint;
  last_recorded bigint;
  unsealed boolean;
begin
  select count(*), coalesce(max(e.position), -1) into entries, last_entry from akashi_audit.ledger_entries e
  where e.log = has_unrecorded_rows.log and e.created_at >= lower_bound and e.created_at < upper_bound;
  select coalesce(max(r.last_position), -1) into last_recorded from akashi_audit.retention_records r
  where r.log = has_unrecorded_rows.log and r.lower_bound <= has_unrecorded_rows.lower_bound
    and has_unrecorded_rows.upper_bound <= r.upper_bound;
  execute format('select exists (select from only %s r where (r.xid, r.seq) > (
    select h.last_xid, h.last_seq from akashi_audit.ledger_heads h where h.log = %L))', part, log) into unsealed;
  return unsealed or last_recorded < last_entry or row_count > entries;
end
$$;

create view akashi_audit.sealed_rows with (security_invoker = true) as
  select l.schema_name, l.table_name, e.row_id, e.created_at, e.log, e.position, e.entry_hash,
         c.size as checkpoint_size, c.epoch as checkpoint_epoch, c.published_at as checkpoint_published_at,
         t.id as retention_record_id, t.retired_at
  from akashi_audit.ledger_entries e
  join akashi_audit.logs l on l.log = e.log
  left join lateral (
    select k.size, k.epoch, k.published_at from akashi_audit.ledger_checkpoints k
    where k.log = e.log and k.size > e.position order by k.epoch desc, k.size limit 1) c on true
  left join lateral (
    select r.id, r.retired_at from akashi_audit.retention_records r
    where r.log = e.log and e.position between r.first_position and r.last_position
      and r.lower_bound <= e.created_at and e.created_at < r.upper_bound
    order by r.retired_at limit 1) t on true;
comment on view akashi_audit.sealed_rows is
  'Every sealed row, with the first published checkpoint that covers it and its retention record. Filter by row_id.';
grant select on akashi_audit.sealed_rows to akashi_worker, akashi_security_admin;

create table akashi_audit.standing_alarms (
  kind      text not null,
  subject   text not null,
  detail    text not null,
  raised_at timestamptz not null default now(),
  primary key (kind, subject, detail)
);
comment on table akashi_audit.standing_alarms is
  'Alarms in effect: a security event is raised when one begins, and none while it lasts.';
alter table akashi_audit.standing_alarms enable row level security, force row level security;
create policy standing_alarms_read on akashi_audit.standing_alarms for select to akashi_app, akashi_worker, akashi_security_admin using (true);
create policy standing_alarms_owner on akashi_audit.standing_alarms to akashi_owner using (true) with check (true);
grant select on akashi_audit.standing_alarms to akashi_app, akashi_worker, akashi_security_admin;

select akashi_audit.exempt('akashi_audit.ledger_heads', 'part of the ledger'), akashi_audit.exempt('akashi_audit.ledger_entries', 'part of the ledger'),
       akashi_audit.exempt('akashi_audit.ledger_tiles', 'part of the ledger'), akashi_audit.exempt('akashi_audit.ledger_checkpoints', 'part of the ledger'),
       akashi_audit.exempt('akashi_audit.ledger_epochs', 'part of the ledger'), akashi_audit.exempt('akashi_audit.ledger_cosignatures', 'part of the ledger'),
       akashi_audit.exempt('akashi_audit.verified_heads', 'part of the ledger'), akashi_audit.exempt('akashi_audit.ledger_scrubs', 'part of the ledger'),
       akashi_audit.exempt('akashi_audit.witnesses', 'changed by administrators; each row says who and when'),
       akashi_audit.exempt('akashi_audit.verifications', 'append-only itself'),
       akashi_audit.exempt('akashi_audit.retention_records', 'append-only and signed itself'),
       akashi_audit.exempt('akashi_audit.standing_alarms', 'each alarm is a security event'),
       akashi_audit.exempt('akashi_audit.catalog_records', 'append-only itself; each record is a row of the trail');

-- Row security filters silently, so readers of whole tables check first that it does not apply to them.
create function akashi_audit.assert_unfiltered(target regclass) returns void
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if pg_catalog.row_security_active(target) and (
    not exists (
      select from pg_catalog.pg_policy p
      where p.polrelid = target and p.polpermissive and p.polcmd in ('*', 'r')
        and pg_get_expr(p.polqual, p.polrelid) = 'true'
        and (0::oid = any (p.polroles) or exists (select from unnest(p.polroles) r where pg_has_role(current_user, r, 'usage')))
    ) or exists (
      select from pg_catalog.pg_policy p
      where p.polrelid = target and not p.polpermissive and p.polcmd in ('*', 'r')
        and (0::oid = any (p.polroles) or exists (select from unnest(p.polroles) r where pg_has_role(current_user, r, 'usage')))
    )
  ) then
    raise exception 'row security may hide rows of % from %', target, current_user
      using errcode = 'AK002', hint = 'connect as akashi_worker; its policies show every row';
  end if;
end
$$;
comment on function akashi_audit.assert_unfiltered(regclass) is 'Fails unless the caller sees every row of the table.';
grant execute on function akashi_audit.assert_unfiltered(regclass) to akashi_worker, akashi_security_admin;

-- Missing or disabled triggers of one log: the guards of its table and of the ledger; for audit_logs also the triggers
-- of every protected table and partition. Guards are checked independently of policies.
create function akashi_audit.trigger_problems(log text) returns table ("table" text, problem text)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with guarded as (
    select part.relid::oid as relid, null::text as name, 'refuse_change' as trigger_name,
           'akashi_audit.refuse_change'::regproc::oid as function, '' ::bytea as arguments
    from akashi_lifecycle.retention p
    cross join lateral pg_catalog.pg_partition_tree(to_regclass(format('%I.%I', p.schema_name, p.table_name))) part
    -- The trail also covers append-only tables without a log of their own.
    where p.append_only and trigger_problems.log = 'audit_logs'
      and (p.schema_name, p.table_name) not in (select l.schema_name, l.table_name from akashi_audit.logs l)
    union all
    -- Tables of logs are checked even when no policy lists them.
    select part.relid::oid, format('%I.%I', l.schema_name, l.table_name), 'refuse_change', 'akashi_audit.refuse_change'::regproc::oid, ''
    from akashi_audit.logs l
    left join lateral pg_catalog.pg_partition_tree(to_regclass(format('%I.%I', l.schema_name, l.table_name))) part on true
    where l.log = trigger_problems.log
    union all
    select to_regclass(own.name), own.name, own.trigger_name, own.function::regproc, ''
    from (values ('akashi_audit.ledger_entries', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.ledger_checkpoints', 'keep_checkpoint', 'akashi_audit.keep_checkpoint'),
                 ('akashi_audit.ledger_checkpoints', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.ledger_epochs', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.ledger_cosignatures', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.retention_records', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.verifications', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.ledger_tiles', 'keep_tile', 'akashi_audit.keep_tile'),
                 ('akashi_audit.ledger_tiles', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.ledger_heads', 'keep_head', 'akashi_audit.keep_head'),
                 ('akashi_audit.ledger_heads', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.losses', 'keep_loss', 'akashi_audit.keep_loss'),
                 ('akashi_audit.crosscheck_discrepancies', 'keep_crosscheck', 'akashi_audit.keep_crosscheck'),
                 ('akashi_audit.crosscheck_discrepancies', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.crosscheck_state', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.crosscheck_gaps', 'keep_crosscheck', 'akashi_audit.keep_crosscheck'),
                 ('akashi_audit.crosscheck_gaps', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.catalog_records', 'refuse_change', 'akashi_audit.refuse_change'),
                 ('akashi_audit.losses', 'refuse_change', 'akashi_audit.refuse_change')) as own (name, trigger_name, function)
  ), recorded as (
    select part.relid::oid, format('%I.%I', p.schema_name, p.table_name), 'akashi_audit_' || event,
           case p.on_failure when 'record_loss' then 'akashi_audit.log_changes_or_loss' else 'akashi_audit.log_changes' end::regproc,
           (select string_agg(convert_to(argument, 'UTF8') || '\x00'::bytea, ''::bytea order by place)
            from unnest(akashi_audit.trigger_arguments(p)) with ordinality as a (argument, place))
    from akashi_audit.protected_tables p
    -- From the catalog: to_regclass fails for schemas that this function's owner may not use.
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
         case when c.oid is null then 'the table does not exist'
              when t.oid is null then format('trigger %s is missing', e.trigger_name)
              when t.tgenabled = 'D' then format('trigger %s is disabled', e.trigger_name)
              when t.tgenabled <> 'A' then format('trigger %s does not fire in every session', e.trigger_name)
              else format('trigger %s differs from the one that protect created', e.trigger_name) end
  from expected e
  left join pg_catalog.pg_class c on c.oid = e.relid
  left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_trigger t on t.tgrelid = e.relid and t.tgname = e.trigger_name and not t.tgisinternal
  where (t.oid is null or t.tgenabled <> 'A' or t.tgfoid <> e.function or t.tgargs <> e.arguments)
    -- pg_partition_tree also returns a partition that was created after this statement began.
    and (e.relid is null or c.oid is not null)
  union all
  select p.schema_name || '.' || p.table_name,
         case when stale.gone is not null then format('the protection has columns that no longer exist: %s', stale.gone)
              else format('its primary key is no longer (%s)', array_to_string(p.key_columns, ', ')) end
  from akashi_audit.protected_tables p
  join pg_catalog.pg_namespace n on n.nspname = p.schema_name
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
  cross join lateral (
    select string_agg(name, ', ') as gone
    from unnest(p.key_columns || p.digest_columns || p.omitted_columns || p.subject_column) name
    where name is not null and not exists (
      select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = name and a.attnum > 0 and not a.attisdropped)
  ) stale
  where trigger_problems.log = 'audit_logs' and (stale.gone is not null or p.key_columns is distinct from akashi_audit.primary_key(c.oid))
  union all
  select p.schema_name || '.' || p.table_name, format('a cast to json decides what is recorded of the type %s', casts)
  from akashi_audit.protected_tables p
  join pg_catalog.pg_namespace n on n.nspname = p.schema_name
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
  cross join lateral akashi_audit.json_casts(c.oid) casts
  where trigger_problems.log = 'audit_logs' and casts is not null
  union all
  select schema_name || '.' || table_name,
         format('%s statements (%s rows) were made but not recorded, the last at %s: %s', count(*), coalesce(sum(row_count), 0),
                to_char(max(created_at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), (array_agg(message order by created_at desc))[1])
  from akashi_audit.losses
  where trigger_problems.log = 'audit_logs' and settled_at is null
  group by schema_name, table_name
$$;
grant execute on function akashi_audit.trigger_problems(text) to akashi_worker, akashi_security_admin;

-- The cluster and the timeline.
create function akashi_audit.system_identity(out system_identifier bigint, out timeline integer)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select s.system_identifier,
         case when not pg_catalog.pg_is_in_recovery()
           then ('x' || substring(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) for 8))::bit(32)::integer end
  from pg_catalog.pg_control_system() s
$$;
grant execute on function akashi_audit.system_identity() to akashi_worker, akashi_security_admin;

-- Transactions that wrote the rows of the catalog which verification compares, 32 bits each.
create function akashi_audit.whole_catalog_transactions() returns text[]
  language sql stable set search_path = pg_catalog, pg_temp as $$
  with wanted as (
    select n.oid from pg_namespace n
    where n.nspname in ('akashi_archive', 'akashi_audit', 'akashi_auth', 'akashi_keys', 'akashi_lifecycle', 'akashi_security')
  )
  select array_agg(distinct t.xmin order by t.xmin) from (
    select p.xmin::text from pg_proc p join wanted n on n.oid = p.pronamespace
    union
    select unnest(akashi_audit.catalog_transactions(c.oid)) from pg_class c join wanted n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'c', 'f')
    union
    select t.xmin::text from pg_trigger t where t.tgname ^@ 'akashi_audit_' and not t.tgisinternal
    union
    select p.xmin::text from pg_publication p where p.pubname = 'akashi_crosscheck'
    union
    select r.xmin::text from pg_publication_rel r join pg_publication p on p.oid = r.prpubid where p.pubname = 'akashi_crosscheck'
    union
    -- What others added beside the operators and casts of the server.
    select a.xmin::text from (
      select o.oid, o.xmin from pg_operator o
      union all select c.oid, c.xmin from pg_cast c
      union all select p.oid, p.xmin from pg_amop p
      union all select p.oid, p.xmin from pg_amproc p
      union all select c.oid, c.xmin from pg_opclass c
    ) a where a.oid >= 16384
  ) t (xmin)
$$;

-- Records the whole catalog. Earlier records of this cluster no longer count.
create function akashi_audit.record_catalog(action text, reason text default null) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- The first record of a new database accepts nothing that anybody could have changed.
  recorded constant boolean := exists (select from akashi_audit.catalog_records c where c.row -> 'detail' ? 'transactions');
begin
  perform akashi_audit.keep_catalog_record(action, jsonb_strip_nulls(jsonb_build_object('transactions', akashi_audit.whole_catalog_transactions(), 'reason', reason,
    'system_identifier', (select s.system_identifier::text from akashi_audit.system_identity() s))));
  if recorded then
    perform akashi_security.record_event(event_type => 'catalog_recorded', event_category => 'integrity', severity => 'critical',
      source_service => 'akashi', action_performed => action, result => 'success', ocsf_class_uid => 2004,
      event_details => jsonb_strip_nulls(jsonb_build_object('reason', reason)));
  end if;
end
$$;
comment on function akashi_audit.record_catalog(text, text) is
  'Records which transactions wrote the catalog: after a migration, an upgrade, a logical restore, or a change by an administrator. It accepts changes that were not recorded before, and therefore raises an alarm.';

-- Records what the caller's transaction, a migration, changed, and nothing else: what differed before stays reported.
-- Called at its end. Does nothing before the first record of the whole catalog; later it is an event.
create function akashi_audit.record_migration() returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  applied jsonb;
begin
  if not exists (select from akashi_audit.catalog_records c where c.row -> 'detail' ? 'transactions') then
    return;
  end if;
  select jsonb_agg(format('%s_%s', m.version, m.name) order by m.version) into applied
  from akashi_lifecycle.schema_migrations m where akashi_audit.is_own_transaction(m.xmin);
  if applied is null then
    raise exception 'this transaction applied no migration' using errcode = 'AK003', hint = 'record other changes with akashi audit record-catalog';
  end if;
  perform akashi_audit.keep_catalog_record('migrate', jsonb_build_object('migrations', applied, 'added', array(
    select t.written from unnest(akashi_audit.whole_catalog_transactions()) t (written) where akashi_audit.is_own_transaction(t.written::xid))));
  perform akashi_security.record_event(event_type => 'catalog_recorded', event_category => 'integrity', severity => 'high',
    source_service => 'akashi', action_performed => 'migrate', result => 'success', ocsf_class_uid => 2004,
    event_details => jsonb_build_object('reason', 'a migration changed the catalog', 'migrations', applied));
end
$$;

-- Records the whole catalog of a new database, and in a cluster whose catalog was never recorded: there every catalog
-- row is new.
create function akashi_audit.record_new_catalog() returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  here constant text := (select s.system_identifier::text from akashi_audit.system_identity() s);
  last constant text := (select c.row -> 'detail' ->> 'system_identifier' from akashi_audit.catalog_records c
                         where c.row -> 'detail' ? 'system_identifier' order by c.number desc limit 1);
begin
  if last is null then
    perform akashi_audit.record_catalog('migrate');
  elsif last <> here then
    perform akashi_audit.record_catalog('moved', format('the catalog was last recorded in cluster %s', last));
    -- Tables that were loaded have other oids and files.
    perform akashi_audit.keep_traces(c.oid) from akashi_audit.protected_tables p
    join pg_namespace n on n.nspname = p.schema_name join pg_class c on c.relnamespace = n.oid and c.relname = p.table_name;
  end if;
end
$$;

-- The boundary between two epochs of a log: every row numbered up to `floor` is committed or never will be, and later
-- writers have a transaction at or after `xmin`. A statement numbers its rows from its sequence value up to the next.
-- The lock that proves this is released at once, with the subtransaction, and is not waited for longer than writers
-- may queue behind it: fails with lock_not_available while a transaction that wrote is open.
create function akashi_audit.fence_log(log text, out floor bigint, out xmin xid8)
  language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '50ms' as $$
declare
  target record;
begin
  select l.schema_name, l.table_name into strict target from akashi_audit.logs l where l.log = fence_log.log;
  begin
    execute format('lock table only %I.%I in share mode', target.schema_name, target.table_name);
    execute format('select case when is_called then last_value + seqincrement - 1 else last_value - 1 end
                    from %1$I.%2$I, pg_catalog.pg_sequence where seqrelid = %3$L::regclass',
                   target.schema_name, target.table_name || '_seq', format('%I.%I', target.schema_name, target.table_name || '_seq'))
      into floor;
    xmin := pg_snapshot_xmin(pg_current_snapshot());
    raise exception 'release the lock' using errcode = 'AK004';
  exception when sqlstate 'AK004' then
    null;
  end;
end
$$;
grant execute on function akashi_audit.fence_log(text) to akashi_worker;

-- Notifies listeners as soon as tampering is found, and records an event with the class of the Open Cybersecurity
-- Schema Framework for a detection finding.
create function akashi_audit.alert_audit_log_tampering(report jsonb) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_security.record_event(event_type => 'audit_log_tampering', event_category => 'integrity', severity => 'critical',
    source_service => 'akashi', action_performed => 'verify', result => 'failure', ocsf_class_uid => 2004, event_details => report);
  perform pg_notify('audit_tampering_detected', json_build_object('severity', 'critical',
    'message', 'verification of the audit ledger failed', 'timestamp', now())::text);
end
$$;
grant execute on function akashi_audit.alert_audit_log_tampering(jsonb) to akashi_worker;

create function akashi_audit.alert_ledger_epoch(report jsonb) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform akashi_security.record_event(event_type => 'ledger_epoch_opened', event_category => 'integrity',
    severity => case when (report ->> 'lost')::numeric > 0 then 'critical' else 'high' end, source_service => 'akashi',
    action_performed => 'open_epoch', result => 'success', ocsf_class_uid => 2004, event_details => report);
  perform pg_notify('audit_tampering_detected', json_build_object('severity', 'critical',
    'message', 'a log of the audit ledger continues in a new epoch', 'timestamp', now())::text);
end
$$;
grant execute on function akashi_audit.alert_ledger_epoch(jsonb) to akashi_worker;

-- Sets the current alarms of one kind: an array of {subject, detail}. Returns how many are new.
create function akashi_audit.watch_alarms(kind text, severity text, problems jsonb) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  begun integer;
begin
  -- Not an advisory lock, which any login could hold.
  lock table akashi_audit.standing_alarms in share row exclusive mode;
  delete from akashi_audit.standing_alarms a
  where a.kind = watch_alarms.kind and not exists (
    select from jsonb_to_recordset(problems) as f (subject text, detail text) where f.subject = a.subject and f.detail = a.detail);
  with raised as (
    insert into akashi_audit.standing_alarms (kind, subject, detail)
    select distinct watch_alarms.kind, f.subject, f.detail from jsonb_to_recordset(problems) as f (subject text, detail text)
    on conflict do nothing
    returning subject, detail
  )
  select count(akashi_security.record_event(event_type => watch_alarms.kind, event_category => 'integrity',
    severity => watch_alarms.severity, source_service => 'akashi', resource_type => 'ledger', resource_id => left(r.subject, 255),
    action_performed => 'watch', result => 'failure', ocsf_class_uid => 2004,
    event_details => jsonb_build_object('subject', r.subject, 'detail', r.detail)))
  into begun from raised r;
  if begun > 0 then
    perform pg_notify('audit_tampering_detected', json_build_object('severity', severity, 'message', kind, 'timestamp', now())::text);
  end if;
  return begun;
end
$$;
grant execute on function akashi_audit.watch_alarms(text, text, jsonb) to akashi_worker;

-- What holds the frontier: the oldest transaction with an xid in any database of the cluster, or a prepared one.
-- pg_stat_activity shows xact_start of other roles only to pg_read_all_stats, so this runs with the owner's rights.
create function akashi_audit.frontier_holders()
  returns table (pid integer, database text, login text, application_name text, state text, prepared text, age_seconds double precision)
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with frontier as materialized (select pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::xid as xid)
  select a.pid, a.datname::text, a.usename::text, a.application_name, a.state, null::text,
         extract(epoch from clock_timestamp() - a.xact_start)::float8
  from pg_catalog.pg_stat_activity a join frontier f on a.backend_xid = f.xid
  where a.pid <> pg_catalog.pg_backend_pid()
  union all
  select null, p.database::text, p.owner::text, null, 'prepared', p.gid, extract(epoch from clock_timestamp() - p.prepared)::float8
  from pg_catalog.pg_prepared_xacts p join frontier f on p.transaction = f.xid
$$;
grant execute on function akashi_audit.frontier_holders() to akashi_worker, akashi_security_admin;
reset role;
do $stats$
begin
  grant pg_read_all_stats to akashi_owner;
exception when insufficient_privilege then
  raise notice 'the age of a transaction that holds the frontier will not be known: grant pg_read_all_stats to akashi_owner';
end
$stats$;
set local role akashi_owner;

-- Each entry's hash with that of the previous entry. The signature covers the tree, not this chain.
create view akashi_audit.audit_log_chain with (security_invoker = true) as
  select e.log, e.position, e.row_id as id, e.created_at as recorded_at,
         encode(e.entry_hash, 'hex') as hash, encode(p.entry_hash, 'hex') as previous_hash
  from akashi_audit.ledger_entries e
  left join akashi_audit.ledger_entries p on p.log = e.log and p.position = e.position - 1;
comment on view akashi_audit.audit_log_chain is 'Each entry with its hash and that of the previous entry, which is null for the first.';
grant select on akashi_audit.audit_log_chain to akashi_app, akashi_worker, akashi_security_admin, akashi_reader;

-- The first part of every log's origin (C2SP tlog-checkpoint), unique to the installation.
insert into akashi_lifecycle.settings (key, value, pattern, accepts, description)
values ('ledger.origin', to_jsonb('akashi.local/' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)),
        '"[^"\\]+"', 'a name without spaces', 'name that this installation signs its logs under; it never changes');

-- Incremental daily and full on Sundays; in between, the parts that were hashed longest ago.
insert into akashi_lifecycle.jobs (name, schedule, task, timeout, description) values
  ('verify-incremental',  '0 7 * * 1,2,3,4,5,6', 'ledger.verify_incremental', '4 hours',
   'verify what was sealed since the last verification without problems, and the state of the triggers'),
  ('verify',              '0 7 * * 0',           'ledger.verify',             '12 hours',
   'verify every row, entry and signature of every log'),
  ('verify-scrub',        '25 * * * *',          'ledger.scrub',              '50 minutes',
   'rehash the part of every log that was hashed longest ago'),
  ('publish-checkpoints', '* * * * *',           'ledger.publish',            '50 seconds',
   'publish signed checkpoints to the object store'),
  ('thin-checkpoints',    '50 3 * * *',          'ledger.thin',               '2 hours',
   'keep one published checkpoint an hour of those older than 40 days, and one a day of those older than 400'),
  ('watch-ledger',        '* * * * *',           'ledger.watch',              '50 seconds',
   'raise an alarm when a trigger of the record is disabled or missing, or a transaction delays the sealer');

-- How many rows of each log were sealed on each day, as the published checkpoints say it.
create function akashi_audit.sealed_per_day(since timestamptz, until timestamptz, zone text)
  returns table (day date, log text, rows numeric)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  with daily as (
    select (c.published_at at time zone zone)::date as day, c.log, max(c.size) as size
    from akashi_audit.ledger_checkpoints c where c.published_at >= since and c.published_at < until group by 1, 2
  )
  select d.day, d.log, (d.size - coalesce(lag(d.size) over (partition by d.log order by d.day),
           (select max(c.size) from akashi_audit.ledger_checkpoints c where c.log = d.log and c.published_at < since), 0))::numeric
  from daily d order by 1, 2
$$;
grant execute on function akashi_audit.sealed_per_day(timestamptz, timestamptz, text) to akashi_security_admin;

-- Figures of the compliance report: counts of the time from since to until, and the state as of now.
create function akashi_audit.verification_evidence(since timestamptz, until timestamptz,
  out runs bigint, out failed_runs bigint, out full_runs bigint, out hours_since_good numeric, out standing_alarms bigint, out sealed numeric, out checkpoints bigint, out witnesses bigint, out cosignatures bigint)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select count(*), count(*) filter (where not v.ok),
         count(*) filter (where v.ok and v.mode = 'full'),
         (select round(extract(epoch from now() - max(g.finished_at)) / 3600, 1) from akashi_audit.verifications g where g.ok and g.mode <> 'scrub'),
         (select count(*) from akashi_audit.standing_alarms),
         (select sum(d.rows) from akashi_audit.sealed_per_day(since, until, 'UTC') d),
         (select count(*) from akashi_audit.ledger_checkpoints c where c.published_at >= since and c.published_at < until),
         (select count(*) from akashi_audit.witnesses),
         (select count(*) from akashi_audit.ledger_cosignatures s where s.cosigned_at >= since and s.cosigned_at < until)
  from akashi_audit.verifications v where v.started_at >= since and v.started_at < until
$$;
grant execute on function akashi_audit.verification_evidence(timestamptz, timestamptz) to akashi_security_admin;
