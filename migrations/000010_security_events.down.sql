delete from audit.protected_tables where schema_name = 'security';
delete from audit.exempt_tables where schema_name = 'security';
delete from lifecycle.policies where schema_name = 'security';
drop trigger users_security_event_trigger on auth.users;
drop view security.v_security_events_masked, security.v_security_events;
drop function security.submit_events(jsonb),
  security.record_event(text, text, text, text, text, uuid, text, text, uuid, inet, text, text, text, text, text, text, text, text, integer, jsonb);
drop table security.ingest_batches, security.security_event_hook_results, security.remediations,
  security.security_events;
drop function security.keep_remediation(), security.log_security_event();
drop sequence security.security_events_seq;
