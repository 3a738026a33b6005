-- The attribute of akashi_backup stays: another database of the cluster may rely on it.
set local role akashi_owner;
delete from lifecycle.jobs where name in ('backup-full', 'backup-incremental', 'backup-prune');
delete from lifecycle.settings where key in ('backup.retention_days', 'backup.hold', 'backup.recipients');
reset role;
do $point$
begin
  revoke execute on function pg_catalog.pg_create_restore_point(text) from akashi_backup;
exception
  when insufficient_privilege then null;
end
$point$;
