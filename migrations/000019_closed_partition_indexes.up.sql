-- What is searched for, but seldom: an index for it on the open partition would be paid by every write. It is made
-- when a partition closes, on that partition alone. Nothing is written there any more (created_at is the server's
-- clock), so that an ordinary CREATE INDEX makes no writer wait; readers never do.
set local role akashi_owner;

create function audit.index_closed_partition(as_of timestamptz default now()) returns text
  language plpgsql security definer set search_path = '' set lock_timeout = '100ms' as $$
declare
  -- A transaction that began before midnight may still be writing rows of the day before.
  settling constant interval := '1 hour';
  part record;
begin
  for part in
    select n.nspname, c.relname, wanted.suffix, wanted.definition
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    cross join lateral lifecycle.partition_bounds(c.oid::regclass) b
    cross join (values
      ('user',    '(user_id, created_at) where user_id is not null'),
      ('trace',   '(trace_id) where trace_id is not null'),
      ('request', '(request_id) where request_id is not null'),
      ('table',   '(table_name, schema_name, created_at) where table_name is not null')
    ) as wanted (suffix, definition)
    where i.inhparent = 'audit.audit_logs'::regclass and b.upper <= as_of - settling
      and not exists (
        select from pg_catalog.pg_class x
        where x.relnamespace = c.relnamespace and x.relname = c.relname || '_closed_' || wanted.suffix)
    order by b.lower, wanted.suffix limit 1
  loop
    execute format('create index %I on %I.%I %s', part.relname || '_closed_' || part.suffix, part.nspname, part.relname, part.definition);
    return part.relname || '_closed_' || part.suffix;
  end loop;
  return null;
end
$$;
comment on function audit.index_closed_partition(timestamptz) is
  'Makes one index that a closed partition of the trail lacks, and answers its name; null when none is lacking.';
grant execute on function audit.index_closed_partition(timestamptz) to akashi_worker;

insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('index-closed-partitions', '30 1 * * *', 'audit.index_closed', '2 hours',
   'index partitions of the trail that have closed by user, trace, request and table');
