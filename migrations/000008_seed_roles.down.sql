-- Only rows added by up; grants of these roles are removed with them.
delete from akashi_auth.roles where name in ('sys_admin', 'sys_operator', 'sys_auditor', 'security_admin', 'viewer');
delete from akashi_auth.permissions where (resource, action) in (
  ('users', 'read'), ('users', 'write'), ('users', 'delete'), ('users', 'admin'),
  ('auth_config', 'read'), ('auth_config', 'write'), ('auth_config', 'delete'), ('auth_config', 'admin'),
  ('audit_logs', 'read'),
  ('api_gateway', 'read'), ('api_gateway', 'write'), ('api_gateway', 'delete'), ('api_gateway', 'admin'),
  ('vault_secrets', 'read'), ('vault_secrets', 'write'), ('vault_secrets', 'delete'), ('vault_secrets', 'admin'),
  ('monitoring', 'read'), ('monitoring', 'write'), ('monitoring', 'delete'), ('monitoring', 'admin'))
  or resource in ('roles', 'api_keys', 'sessions', 'ledger', 'events', 'lifecycle', 'archive', 'query', 'backup', 'jobs',
    'keys', 'reports', 'approvals', 'messages', 'rooms');
