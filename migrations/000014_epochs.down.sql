set local role akashi_owner;
drop function audit.alert_ledger_epoch(jsonb);
drop function audit.hold_log(text);
drop function audit.system_identity();
delete from audit.exempt_tables where schema_name = 'audit' and table_name = 'ledger_epochs';
drop table audit.ledger_epochs;
alter table audit.ledger_heads drop column seq_floor, drop column system_identifier, drop column timeline;
