do $stats$
begin
  revoke pg_read_all_stats from akashi_owner;
  grant pg_read_all_stats to akashi_worker, akashi_security_admin;
exception when insufficient_privilege then
  null;
end
$stats$;
set local role akashi_owner;
alter function audit.frontier_holders() security invoker;
grant usage on sequence auth.login_attempts_seq to akashi_app;
grant insert (user_id, issuer, identifier_hash, method, result, failure_reason, counted, ip_address, user_agent, session_id,
  request_id, trace_id, tenant_id) on auth.login_attempts to akashi_app;
create policy login_attempts_record on auth.login_attempts for insert to akashi_app with check (true);
