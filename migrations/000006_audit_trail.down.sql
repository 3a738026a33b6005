-- disposable: audit.protected_tables
drop function audit.protect(regclass, text, text, text[]);
drop function audit.attach_triggers(regclass, text, text[], text, text[]);
drop function audit.log_changes() cascade;
drop function audit.composite_key(jsonb, text[]);
drop table audit.protected_tables;
delete from lifecycle.policies where schema_name = 'audit' and table_name = 'audit_logs';
drop table audit.audit_logs;
drop function audit.uuid_v7();
drop sequence audit.audit_logs_seq;
