-- disposable: auth.security_policies
delete from audit.protected_tables where schema_name = 'auth' and table_name in ('users', 'roles', 'permissions',
  'role_permissions', 'user_roles', 'service_accounts', 'service_account_roles', 'api_keys', 'user_sessions',
  'security_policies', 'privacy_consents');
drop view auth.current_consents, auth.masked_users, auth.profiles;
drop function auth.policy(text), auth.key_allows(auth.api_keys, text), auth.service_account_has_permission(uuid, text),
  auth.user_has_permission(uuid, text), auth.roles_hold(uuid[], text), auth.tier_rank(text);
drop table auth.privacy_consents, auth.security_policies, auth.user_sessions, auth.api_keys, auth.service_account_roles,
  auth.service_accounts, auth.user_roles, auth.role_permissions, auth.permissions, auth.roles, auth.users;
drop function auth.policy_value_fits(jsonb, text, bigint, bigint, text[]), auth.has_permission(text),
  auth.check_service_role(), auth.check_role_permission(), auth.keep_tier(), auth.keep_last_administrator();
