-- What verification remembers, and records of rows that retention removed. docs/ledger.md specifies both.
set local role akashi_owner;

alter table audit.verifications add column mode text not null default 'full' check (mode in ('full', 'incremental', 'scrub'));

-- Up to where each log was verified without a problem: an incremental verification goes on from there. The
-- signed note says that size and root were the log's own.
create table audit.verified_heads (
  log         text primary key,
  epoch       integer not null,
  size        bigint not null check (size >= 0),
  note        text not null,
  last_xid    xid8 not null,
  last_seq    bigint not null,
  verified_at timestamptz not null,
  -- Rows up to here, in the order of the ledger, were looked at by the scrub for entries that they lack.
  scrub_xid   xid8 not null default '0',
  scrub_seq   bigint not null default 0
);

-- When each part of a log was last hashed: slices of positions, and objects of the archive.
create table audit.ledger_scrubs (
  log        text not null,
  unit       text not null check (unit ~ '^(slice|object)/'),
  checked_at timestamptz not null,
  primary key (log, unit)
);
comment on column audit.ledger_scrubs.unit is
  'slice/<n, twelve digits>: positions n·65536 to n·65536 + 65535; object/<name>: an archived object.';

-- That the rows of one range of time were removed by a policy. Their entries stay in the tree.
create table audit.retention_records (
  id             uuid primary key default audit.uuid_v7(),
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
comment on column audit.retention_records.digest is
  'SHA-256 over position (8 bytes, most significant first) and entry hash of each retired entry, in ascending position.';
create unique index retention_records_first_idx on audit.retention_records (log, partition_name, first_position);

do $tables$
declare
  name text;
begin
  foreach name in array array['verified_heads', 'ledger_scrubs', 'retention_records'] loop
    execute format('alter table audit.%I enable row level security', name);
    execute format('alter table audit.%I force row level security', name);
    execute format('create policy %I on audit.%I to akashi_worker using (true) with check (true)', name || '_worker', name);
    execute format('create policy %I on audit.%I for select to akashi_app, akashi_security_admin, akashi_reader using (true)', name || '_read', name);
    execute format('create policy %I on audit.%I to akashi_owner using (true) with check (true)', name || '_owner', name);
    execute format('grant select on audit.%I to akashi_app, akashi_worker, akashi_security_admin, akashi_reader', name);
  end loop;
end
$tables$;
grant insert, update on audit.verified_heads to akashi_worker;
grant insert, update, delete on audit.ledger_scrubs to akashi_worker;
select audit.guard('audit.retention_records');

select audit.exempt('audit.verified_heads', 'part of the ledger'), audit.exempt('audit.ledger_scrubs', 'part of the ledger'),
       audit.exempt('audit.retention_records', 'append-only and signed itself');

-- Whoever removes rows records it here first. A legal hold refuses it, and so does a range whose entries are
-- not as many as are told.
create function audit.record_retention(log text, partition_name text, lower_bound timestamptz, upper_bound timestamptz,
  first_position bigint, last_position bigint, row_count bigint, digest bytea, policy text, note text) returns uuid
  language plpgsql security definer set search_path = '' as $$
declare
  record_id uuid;
  counted bigint;
begin
  if exists (select from lifecycle.policies p where p.table_name = record_retention.log and p.legal_hold) then
    raise exception 'rows of log % are under legal hold', log
      using errcode = 'AK003', hint = 'the hold ends in lifecycle.policies';
  end if;
  select count(*) into counted from audit.ledger_entries e
  where e.log = record_retention.log and e.position between first_position and last_position
    and e.created_at >= lower_bound and e.created_at < upper_bound;
  if counted <> row_count then
    raise exception 'the range holds % entries of log %, not %', counted, log, row_count
      using errcode = 'AK003', hint = 'count again: rows were sealed meanwhile';
  end if;
  insert into audit.retention_records (log, partition_name, lower_bound, upper_bound, first_position, last_position,
    row_count, digest, policy, note)
  values (log, partition_name, lower_bound, upper_bound, first_position, last_position, row_count, digest, policy, note)
  returning id into record_id;
  return record_id;
end
$$;
grant execute on function audit.record_retention(text, text, timestamptz, timestamptz, bigint, bigint, bigint, bytea, text, text)
  to akashi_worker;

-- Daily the tail, on Sunday everything, in between a part of what was hashed longest ago.
update lifecycle.jobs set schedule = '0 7 * * 0' where name = 'verify' and schedule = '0 7 * * *';
insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('verify-incremental', '0 7 * * 1,2,3,4,5,6', 'ledger.verify_incremental', '4 hours',
   'verify what was sealed since the last good verification, and the state of the triggers'),
  ('verify-scrub',       '25 * * * *',          'ledger.scrub',              '50 minutes',
   'hash again the part of every log that was hashed longest ago');
