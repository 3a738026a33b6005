set local role akashi_owner;
delete from lifecycle.jobs where name = 'index-closed-partitions';
drop function audit.index_closed_partition(timestamptz);
do $indexes$
declare
  made record;
begin
  for made in
    select x.relnamespace::regnamespace as schema_name, x.relname as name
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    join pg_catalog.pg_index d on d.indrelid = c.oid
    join pg_catalog.pg_class x on x.oid = d.indexrelid
    where i.inhparent = 'audit.audit_logs'::regclass
      and x.relname in (select c.relname || '_closed_' || suffix from unnest(array['user', 'trace', 'request', 'table']) suffix)
  loop
    execute format('drop index %s.%I', made.schema_name, made.name);
  end loop;
end
$indexes$;
