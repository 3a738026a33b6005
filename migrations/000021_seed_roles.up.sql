-- S3 008 and its seeds: three roles, 21 permissions, and who has which (21, 8 and 5).
set local role akashi_owner;

insert into auth.roles (name, description, tier) values
  ('sys_admin',    'システム全体の管理者。すべてのリソースに対する全権限', 'system'),
  ('sys_operator', 'システム運用担当。監視・ログ閲覧・設定変更',           'system'),
  ('sys_auditor',  '監査担当。全リソースの読み取り専用',                   'system')
on conflict (name) do nothing;

insert into auth.permissions (resource, action, description) values
  ('users',         'read',   'ユーザー情報の閲覧'),
  ('users',         'write',  'ユーザー情報の作成・更新'),
  ('users',         'delete', 'ユーザーの削除'),
  ('users',         'admin',  'ユーザー管理の全権限'),
  ('auth_config',   'read',   '認証設定の閲覧'),
  ('auth_config',   'write',  '認証設定の作成・更新'),
  ('auth_config',   'delete', '認証設定の削除'),
  ('auth_config',   'admin',  '認証設定管理の全権限'),
  ('audit_logs',    'read',   '監査ログの閲覧'),
  ('api_gateway',   'read',   'API Gateway 設定の閲覧'),
  ('api_gateway',   'write',  'API Gateway 設定の作成・更新'),
  ('api_gateway',   'delete', 'API Gateway 設定の削除'),
  ('api_gateway',   'admin',  'API Gateway 管理の全権限'),
  ('vault_secrets', 'read',   'Vault シークレットの閲覧'),
  ('vault_secrets', 'write',  'Vault シークレットの作成・更新'),
  ('vault_secrets', 'delete', 'Vault シークレットの削除'),
  ('vault_secrets', 'admin',  'Vault シークレット管理の全権限'),
  ('monitoring',    'read',   '監視データの閲覧'),
  ('monitoring',    'write',  '監視設定の作成・更新'),
  ('monitoring',    'delete', '監視設定の削除'),
  ('monitoring',    'admin',  '監視管理の全権限')
on conflict (resource, action) do nothing;

insert into auth.role_permissions (role_id, permission_id)
select r.id, p.id
from auth.roles r
cross join auth.permissions p
where r.name = 'sys_admin'
   or (r.name = 'sys_operator' and (p.resource, p.action) in (
        ('users', 'read'), ('auth_config', 'read'), ('auth_config', 'write'), ('audit_logs', 'read'),
        ('api_gateway', 'read'), ('vault_secrets', 'read'), ('monitoring', 'read'), ('monitoring', 'write')))
   or (r.name = 'sys_auditor' and p.action = 'read' and p.resource <> 'vault_secrets')
on conflict (role_id, permission_id) do nothing;
