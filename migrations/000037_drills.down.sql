set local role akashi_owner;
delete from lifecycle.jobs where name in ('backup-drill', 'backup-drill-watch');
delete from lifecycle.settings
where key in ('backup.drill_rpo_limit_seconds', 'backup.drill_rto_limit_seconds', 'backup.drill_max_age_days');
delete from audit.exempt_tables where (schema_name, table_name) = ('lifecycle', 'drills');
drop table lifecycle.drills;
