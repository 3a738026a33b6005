-- Copies of the audit log that are kept for years, and the half-yearly test of a whole recovery (S5).
set local role akashi_owner;

alter table lifecycle.drills add column kind text not null default 'drill' check (kind in ('drill', 'recovery_test'));
comment on column lifecycle.drills.kind is 'drill: to a random moment; recovery_test: the whole cluster to the latest one.';
grant insert (kind) on lifecycle.drills to akashi_worker;

insert into lifecycle.settings (key, value, description) values
  ('backup.audit_near_days', '90',   'days that a weekly copy of the audit log is kept at hand (S5)'),
  ('backup.audit_cold_days', '1095', 'days that it is kept on the cold tier (S5: 3 years)'),
  ('backup.recovery_test_max_age_days', '200', 'an alarm is raised when no test of a whole recovery passed for longer');

insert into lifecycle.jobs (name, schedule, task, timeout, description) values
  ('backup-audit-copy',    '0 6 * * 0',    'backup.audit_copy',    '6 hours',  'copy what was sealed since the last copy of the audit log, and prune old copies'),
  ('backup-recovery-test', '0 10 15 1,7 *', 'backup.recovery_test', '24 hours', 'restore the whole cluster to the latest moment on a server that is thrown away');
