set local role akashi_owner;
delete from lifecycle.jobs where name in ('backup-audit-copy', 'backup-recovery-test');
delete from lifecycle.settings
where key in ('backup.audit_near_days', 'backup.audit_cold_days', 'backup.recovery_test_max_age_days');
alter table lifecycle.drills drop column kind;
