-- disposable: auth.login_throttles
-- That akashi_worker may act as akashi_app stays: roles belong to the cluster, and another database may use them.
drop function auth.make_first_administrator(uuid);
drop function auth.has_administrator();
drop function auth.remove_factors(uuid);
drop function auth.has_factor(uuid);
drop function auth.revoke_sessions(uuid, uuid);
drop function auth.renew_session(bytea, text[], boolean);
drop function auth.authenticate_session(bytea);
drop function auth.needs_factor(uuid);
drop function auth.upgrade_password_hash(uuid, text, text);
drop function auth.set_password(uuid, text, boolean);
drop function auth.password_hashes(uuid);
drop function auth.settle_login(text, text, uuid, bytea, text, text, uuid);
drop function auth.record_authentication(text, text, uuid, uuid, jsonb);
drop function auth.begin_login(uuid, bytea);
drop function auth.password_due(auth.local_credentials);
drop function auth.throttled_account(uuid, bytea);
drop function auth.release_attempt(bytea, boolean);
drop function auth.reserve_attempt(bytea, integer);
drop function auth.policy_minutes(text);
drop function auth.throttle_key(text, bytea, inet);
delete from audit.exempt_tables where schema_name = 'auth' and table_name = 'login_throttles';
drop table auth.login_throttles;
delete from auth.security_policies where key = 'lockout.account_threshold';
