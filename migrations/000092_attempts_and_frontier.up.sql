-- What PostgreSQL 15 showed, where akashi_worker does not inherit.
set local role akashi_owner;

-- Attempts are written by auth.settle_login alone: with its own insert the application could make up a success,
-- and a place with one is spared by the lockout of the account.
drop policy login_attempts_record on auth.login_attempts;
revoke insert (user_id, issuer, identifier_hash, method, result, failure_reason, counted, ip_address, user_agent, session_id,
  request_id, trace_id, tenant_id) on auth.login_attempts from akashi_app;
revoke usage on sequence auth.login_attempts_seq from akashi_app;

-- Who holds the frontier is asked with the owner's right to see other sessions, so no login needs it.
alter function audit.frontier_holders() security definer;
reset role;
do $stats$
begin
  revoke pg_read_all_stats from akashi_worker, akashi_security_admin;
  grant pg_read_all_stats to akashi_owner;
exception when insufficient_privilege then
  raise notice 'the age of a transaction that holds the frontier will not be known: grant pg_read_all_stats to akashi_owner';
end
$stats$;
