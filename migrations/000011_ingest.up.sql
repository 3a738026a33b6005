-- Which inputs were taken in, so that a file that is read again is known even after its events have left
-- PostgreSQL for the archive.
set local role akashi_owner;

create table security.ingest_batches (
  digest      bytea primary key check (octet_length(digest) = 32),
  source      text not null,
  format      text not null,
  events      integer not null check (events > 0),
  first_at    timestamptz not null,
  last_at     timestamptz not null,
  received_at timestamptz not null default clock_timestamp()
);
comment on table security.ingest_batches is 'One row per batch of events taken in, by the SHA-256 of their ids: exactly once also after archiving.';

alter table security.ingest_batches enable row level security;
alter table security.ingest_batches force row level security;
create policy ingest_batches_worker on security.ingest_batches to akashi_worker using (true) with check (true);
create policy ingest_batches_read on security.ingest_batches for select to akashi_security_admin using (true);
create policy ingest_batches_owner on security.ingest_batches to akashi_owner using (true) with check (true);
grant select, insert on security.ingest_batches to akashi_worker;
grant select on security.ingest_batches to akashi_security_admin;
select audit.guard('security.ingest_batches'), audit.exempt('security.ingest_batches', 'append-only itself');
