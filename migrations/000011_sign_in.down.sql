-- disposable: auth.login_throttles
delete from lifecycle.jobs where name = 'identity-purge';
delete from audit.protected_tables where schema_name = 'auth'
  and table_name in ('local_credentials', 'password_history', 'mfa_factors', 'recovery_codes');
delete from audit.exempt_tables where schema_name = 'auth' and table_name in ('login_attempts', 'login_throttles');
delete from lifecycle.policies where (schema_name, table_name) = ('auth', 'login_attempts');
drop function auth.purge_expired(integer), auth.make_first_administrator(uuid), auth.has_administrator(),
  auth.remove_factors(uuid), auth.has_factor(uuid), auth.revoke_sessions(uuid, uuid),
  auth.renew_session(bytea, text[], boolean), auth.authenticate_session(bytea), auth.needs_factor(uuid),
  auth.upgrade_password_hash(uuid, text, text), auth.set_password(uuid, text, boolean), auth.password_hashes(uuid),
  auth.record_authentication(text, text, uuid, uuid, jsonb),
  auth.settle_login(text, text, uuid, bytea, text, text, uuid), auth.password_due(auth.local_credentials),
  auth.begin_login(uuid, bytea), auth.throttled_account(uuid, bytea), auth.release_attempt(bytea, boolean),
  auth.reserve_attempt(bytea, integer), auth.policy_minutes(text), auth.throttle_key(text, bytea, inet);
drop table auth.login_throttles, auth.login_attempts, auth.recovery_codes, auth.mfa_factors, auth.password_history,
  auth.local_credentials;
drop function auth.keep_step();
drop sequence auth.login_attempts_seq;
