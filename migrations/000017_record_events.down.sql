set local role akashi_owner;
create or replace function audit.alert_audit_log_tampering(report jsonb) returns void
  language plpgsql security definer set search_path = '' as $$
begin
  insert into security.security_events (event_type, event_category, severity, source_service, action_performed, result, event_details)
  values ('audit_log_tampering', 'integrity', 'critical', 'akashi', 'verify', 'failure', report);
  perform pg_notify('audit_tampering_detected', json_build_object('severity', 'critical',
    'message', 'verification of the audit ledger failed', 'timestamp', now())::text);
end
$$;
drop trigger users_security_event_trigger on auth.users;
drop function security.log_security_event();
drop function security.record_event;
revoke insert (id, created_at, event_type, event_category, severity, source_service, description, user_id, user_name,
  external_user_id, session_id, source_ip, user_agent, resource_type, resource_id, action_performed, result, tenant_id,
  tenant_name, client_id, client_name, request_id, trace_id, ocsf_class_uid, event_details)
  on security.security_events from akashi_worker;
grant insert on security.security_events to akashi_app, akashi_worker;
grant usage on sequence security.security_events_seq to akashi_app;
grant execute on function audit.uuid_v7() to akashi_app;
alter policy security_events_record on security.security_events to akashi_app, akashi_worker, akashi_owner;
