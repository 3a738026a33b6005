-- The attribute of akashi_backup is kept: another database of the cluster may rely on it.
drop function akashi_lifecycle.backup_evidence(timestamptz, timestamptz), akashi_lifecycle.drill_evidence(timestamptz, timestamptz), akashi_lifecycle.recent_drills(timestamptz);
delete from akashi_lifecycle.jobs where name in ('backup-full', 'backup-incremental', 'backup-prune', 'backup-drill',
  'backup-watch', 'check-structure', 'backup-audit-copy', 'backup-recovery-test', 'backup-verify', 'backup-rewrap');
delete from akashi_lifecycle.settings where key in ('backup.retention_days', 'backup.hold', 'backup.recipients',
  'backup.drill_rpo_limit_seconds', 'backup.drill_rto_limit_seconds', 'backup.drill_max_age_days',
  'backup.audit_near_days', 'backup.audit_cold_days', 'backup.recovery_test_max_age_days', 'backup.wal_limit_mb',
  'backup.max_age_hours', 'backup.incremental_hours', 'backup.max_lag_minutes', 'disk.max_used_percent');
select akashi_audit.unprotect('akashi_lifecycle.restores'), akashi_audit.unprotect('akashi_lifecycle.restore_points');
drop function akashi_lifecycle.prune_restores(interval), akashi_lifecycle.close_dead_restores(), akashi_lifecycle.cancel_restore(uuid),
  akashi_lifecycle.finish_restore(uuid, text, text, jsonb), akashi_lifecycle.continue_restore(uuid, text),
  akashi_lifecycle.begin_restore(text, text, text, boolean, text, text);
drop table akashi_lifecycle.restore_points, akashi_lifecycle.restores;
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
