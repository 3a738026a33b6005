set local role akashi_owner;
drop function security.submit_events(jsonb);
drop view security.v_security_events_masked;
drop view security.v_security_events;
revoke select (id, created_at, received_at, seq, xid, event_type, event_category, severity, source_service, user_id, session_id,
  source_ip, resource_type, resource_id, action_performed, result, tenant_id, tenant_name, client_id, client_name,
  request_id, trace_id, ocsf_class_uid) on security.security_events from akashi_reader;
drop policy security_events_owner on security.security_events;
drop policy security_events_auditor on security.security_events;
drop index security.security_events_created_idx;
delete from audit.exempt_tables where schema_name = 'security' and table_name = 'security_event_hook_results';
delete from lifecycle.policies where schema_name = 'security' and table_name = 'security_event_hook_results';
drop table security.security_event_hook_results;
delete from audit.protected_tables where schema_name = 'security' and table_name = 'remediations';
drop table security.remediations;
drop function security.keep_remediation();
