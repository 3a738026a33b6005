-- disposable: akashi_auth.security_policies
delete from akashi_audit.protected_tables where schema_name = 'akashi_auth' and table_name in ('users', 'roles', 'permissions',
  'role_permissions', 'user_roles', 'service_accounts', 'service_account_roles', 'api_keys', 'user_sessions',
  'security_policies', 'privacy_consents');
drop view akashi_auth.current_consents, akashi_auth.active_users, akashi_auth.held_users, akashi_auth.masked_users, akashi_auth.profiles;
drop function akashi_auth.policy(text), akashi_auth.key_permits(text), akashi_auth.shown_permits(text), akashi_auth.key_allows(akashi_auth.api_keys, text), akashi_auth.service_account_has_permission(uuid, text),
  akashi_auth.user_has_permission(uuid, text), akashi_auth.roles_hold(uuid[], text), akashi_auth.tier_rank(text);
drop table akashi_auth.privacy_consents, akashi_auth.security_policies, akashi_auth.user_sessions, akashi_auth.api_keys, akashi_auth.service_account_roles,
  akashi_auth.service_accounts, akashi_auth.user_roles, akashi_auth.role_permissions, akashi_auth.permissions, akashi_auth.roles, akashi_auth.users;
drop function akashi_auth.search_people(text, uuid[], integer), akashi_auth.contains_terms(text, text[]), akashi_auth.term_ngrams(text[]),
  akashi_auth.search_terms(text), akashi_auth.ngrams(text), akashi_auth.fold_text(text),
  akashi_auth.username_fits(text, text), akashi_auth.username_key(text);
drop function akashi_auth.policy_value_fits(jsonb, text, bigint, bigint, text[]), akashi_auth.has_permission(text),
  akashi_auth.check_service_role(), akashi_auth.check_role_permission(), akashi_auth.keep_tier(), akashi_auth.keep_last_administrator();
