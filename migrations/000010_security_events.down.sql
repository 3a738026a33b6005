drop function akashi_security.event_evidence(timestamptz, timestamptz), akashi_security.wrote_alarm(xid8, text, timestamptz);
delete from akashi_audit.protected_tables where schema_name = 'akashi_security';
delete from akashi_audit.exempt_tables where schema_name = 'akashi_security';
delete from akashi_lifecycle.policies where schema_name = 'akashi_security';
drop trigger users_security_event_trigger on akashi_auth.users;
drop view akashi_security.v_security_events_masked, akashi_security.v_security_events;
drop function akashi_security.detect_security_anomalies(), akashi_security.submit_events(jsonb),
  akashi_security.record_event(text, text, text, text, text, text, text, text, text, inet, text, text, text, text, text, text, text, text, integer, jsonb);
drop table akashi_security.ingest_quarantine, akashi_security.ingest_batches, akashi_security.security_event_hook_results, akashi_security.remediations,
  akashi_security.security_events;
drop function akashi_security.keep_remediation(), akashi_security.log_security_event();
drop sequence akashi_security.security_events_seq;
