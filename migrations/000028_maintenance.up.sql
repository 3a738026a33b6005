-- Maintenance that PostgreSQL does not do by itself: statistics of partitioned tables, tables that autovacuum does not
-- reach, bloated indexes, and old history.
set local role akashi_owner;

-- A login of the worker owns no table, so the owner analyzes its own tables for it. Row-level security does not apply
-- to statistics. It does not wait for locks, because other sessions would queue behind it.
create function akashi_lifecycle.analyze_table(schema_name text, table_name text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '100ms' as $$
begin
  if not exists (
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = schema_name and c.relname = table_name and c.relkind in ('r', 'p') and n.nspname like 'akashi\_%'
      and c.relowner = 'akashi_owner'::regrole) then
    raise exception '%.% is not a table of Akashi', schema_name, table_name using errcode = 'undefined_table';
  end if;
  execute format('analyze %I.%I', schema_name, table_name);
end
$$;
comment on function akashi_lifecycle.analyze_table(text, text) is 'Collects the statistics of a table of Akashi that the planner uses.';
grant execute on function akashi_lifecycle.analyze_table(text, text) to akashi_worker;

insert into akashi_lifecycle.settings (key, value, pattern, accepts, description) values
  ('maintenance.reindex_percent', '50', '[1-9]\d?', 'a whole number from 1 to 99',
   'an index is rebuilt when more of it is estimated to be empty'),
  ('maintenance.reindex_min_mb', '16', '[1-9]\d{0,6}', 'a whole number of megabytes, 1 or more',
   'an index is rebuilt only when that frees more');

-- At night, when an organisation works least.
insert into akashi_lifecycle.jobs (name, schedule, zone, task, timeout, description) values
  ('analyze',       '10 3 * * *', 'organisation', 'maintenance.analyze', '2 hours',
   'collect the statistics of tables that changed, partitioned ones included'),
  ('vacuum',        '20 3 * * *', 'organisation', 'maintenance.vacuum',  '4 hours',
   'vacuum tables that autovacuum did not reach, and report how old the oldest transaction id is'),
  ('reindex',       '40 3 5 * *', 'organisation', 'maintenance.reindex', '4 hours',
   'rebuild indexes that are mostly empty, and remove leftovers of failed rebuilds'),
  ('prune-history', '35 4 * * *', 'UTC', 'history.prune', '10 minutes',
   'remove alarms that cleared and restores that ended more than 400 days ago');
