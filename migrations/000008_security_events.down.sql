drop function audit.alert_audit_log_tampering(jsonb);
delete from audit.exempt_tables where schema_name = 'security' and table_name = 'security_events';
drop table security.security_events;
drop sequence security.security_events_seq;
delete from lifecycle.policies where schema_name = 'security' and table_name = 'security_events';
revoke execute on function audit.uuid_v7() from akashi_app, akashi_worker;
