-- disposable: auth.security_policies
drop function auth.key_allows(auth.api_keys, text);
delete from audit.protected_tables where schema_name = 'auth' and table_name in ('roles', 'permissions', 'role_permissions',
  'security_policies', 'service_accounts', 'service_account_roles', 'user_roles', 'api_keys', 'user_sessions',
  'local_credentials', 'password_history', 'mfa_factors', 'recovery_codes', 'privacy_consents');
delete from audit.exempt_tables where schema_name = 'auth' and table_name = 'login_attempts';
drop view auth.current_consents;
drop table auth.privacy_consents;
drop function auth.policy(text);
drop table auth.security_policies;
drop function auth.policy_value_fits(jsonb, text, bigint, bigint, text[]);
drop table auth.login_attempts;
drop sequence auth.login_attempts_seq;
delete from lifecycle.policies where schema_name = 'auth' and table_name = 'login_attempts';
drop table auth.recovery_codes;
drop table auth.mfa_factors;
drop function auth.keep_step();
drop table auth.password_history;
drop table auth.local_credentials;
drop table auth.user_sessions;
drop table auth.api_keys;
drop table auth.service_account_roles;
drop table auth.service_accounts;
drop table auth.role_permissions;
drop table auth.user_roles;
drop table auth.permissions;
drop table auth.roles;
drop function auth.has_permission(text);
drop function auth.service_account_has_permission(uuid, text);
drop function auth.user_has_permission(uuid, text);
drop function auth.roles_hold(uuid[], text);
drop function auth.tier_rank(text);
