-- The attribute of akashi_backup stays: another database of the cluster may rely on it.
delete from akashi_lifecycle.jobs where name in ('backup-full', 'backup-incremental', 'backup-prune', 'backup-drill',
  'backup-drill-watch', 'backup-audit-copy', 'backup-recovery-test', 'backup-verify', 'backup-rewrap');
delete from akashi_lifecycle.settings where key in ('backup.retention_days', 'backup.hold', 'backup.recipients',
  'backup.drill_rpo_limit_seconds', 'backup.drill_rto_limit_seconds', 'backup.drill_max_age_days',
  'backup.audit_near_days', 'backup.audit_cold_days', 'backup.recovery_test_max_age_days', 'backup.wal_limit_mb');
delete from akashi_audit.exempt_tables
  where schema_name = 'akashi_lifecycle' and table_name in ('drills', 'store_ownership');
drop function akashi_lifecycle.set_store_ownership(uuid, bigint), akashi_lifecycle.installation();
drop table akashi_lifecycle.store_ownership;
drop table akashi_lifecycle.drills;
do $point$
begin
  revoke execute on function pg_catalog.pg_create_restore_point(text) from akashi_backup;
exception when insufficient_privilege then
  null;
end
$point$;
