-- disposable: akashi_auth.login_throttles
drop function akashi_auth.access_evidence(timestamptz, timestamptz);
delete from akashi_lifecycle.jobs where name = 'identity-purge';
delete from akashi_audit.protected_tables where schema_name = 'akashi_auth'
  and table_name in ('local_credentials', 'password_history', 'mfa_factors', 'passkeys', 'recovery_codes');
delete from akashi_audit.exempt_tables where schema_name = 'akashi_auth' and table_name in ('login_attempts', 'login_throttles');
delete from akashi_lifecycle.policies where (schema_name, table_name) = ('akashi_auth', 'login_attempts');
drop view akashi_auth.presence;
drop function akashi_auth.purge_expired(integer), akashi_auth.sockets_changed(uuid[], uuid[], integer[]),
  akashi_auth.valid_sessions(uuid[]), akashi_auth.active_user_count(), akashi_auth.set_session_status(text, uuid),
  akashi_auth.make_first_administrator(uuid), akashi_auth.has_administrator(),
  akashi_auth.respond(text, text),
  akashi_auth.remove_factors(uuid), akashi_auth.end_sessions_of(uuid, uuid), akashi_auth.replace_password(uuid, text),
  akashi_auth.watch_sign_in(uuid, uuid, inet), akashi_auth.has_factor(uuid), akashi_auth.revoke_sessions(uuid, uuid),
  akashi_auth.renew_session(bytea, text[], boolean, boolean), akashi_auth.authenticate_session(bytea), akashi_auth.needs_factor(uuid),
  akashi_auth.upgrade_password_hash(uuid, text, text), akashi_auth.set_password(uuid, text, boolean), akashi_auth.password_hashes(uuid),
  akashi_auth.record_authentication(text, text, uuid, uuid, jsonb),
  akashi_auth.settle_login(text, text, uuid, bytea, text, text, uuid), akashi_auth.password_due(akashi_auth.local_credentials),
  akashi_auth.begin_login(uuid, bytea, boolean), akashi_auth.throttled_account(uuid, bytea), akashi_auth.release_attempt(bytea, boolean),
  akashi_auth.reserve_attempt(bytea, integer), akashi_auth.policy_minutes(text), akashi_auth.throttle_key(text, bytea, inet), akashi_auth.place_of(inet);
drop function akashi_auth.use_passkey(uuid, bigint, timestamptz), akashi_auth.passkey_named(bytea);
drop table akashi_auth.login_throttles, akashi_auth.login_attempts, akashi_auth.recovery_codes, akashi_auth.passkeys, akashi_auth.mfa_factors, akashi_auth.password_history,
  akashi_auth.local_credentials;
drop function akashi_auth.keep_step();
drop sequence akashi_auth.login_attempts_seq;
