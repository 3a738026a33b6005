-- Roles and permissions of every installation. First those of the source applications: three roles, 21 permissions,
-- and their assignment (21, 8 and 5).
set local role akashi_owner;

insert into akashi_auth.roles (name, description, tier) values
  ('sys_admin',    'システム全体の管理者。すべてのリソースに対する全権限', 'system'),
  ('sys_operator', 'システム運用担当。監視・ログ閲覧・設定変更',           'system'),
  ('sys_auditor',  '監査担当。全リソースの読み取り専用',                   'system')
on conflict (name) do nothing;

insert into akashi_auth.permissions (resource, action, description) values
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

insert into akashi_auth.role_permissions (role_id, permission_id)
select r.id, p.id
from akashi_auth.roles r
cross join akashi_auth.permissions p
where r.name = 'sys_admin'
   or (r.name = 'sys_operator' and (p.resource, p.action) in (
        ('users', 'read'), ('auth_config', 'read'), ('auth_config', 'write'), ('audit_logs', 'read'),
        ('api_gateway', 'read'), ('vault_secrets', 'read'), ('monitoring', 'read'), ('monitoring', 'write')))
   or (r.name = 'sys_auditor' and p.action = 'read' and p.resource <> 'vault_secrets')
on conflict (role_id, permission_id) do nothing;

-- Akashi's own permissions and roles. roles:read and roles:write are of the business tier, so that a business can
-- administer itself; permissions of the service tier are for everyone.
insert into akashi_auth.permissions (resource, action, tier, description) values
  ('roles',     'read',   'business', 'ロールとその割り当ての閲覧'),
  ('roles',     'write',  'business', 'ロールの割り当てと解除'),
  ('roles',     'delete', 'system',   'ロールの削除'),
  ('roles',     'admin',  'system',   'ロール管理の全権限'),
  ('api_keys',  'read',   'system',   '他者の API キーの閲覧'),
  ('api_keys',  'write',  'system',   '他者の API キーとサービスアカウントの作成・更新'),
  ('api_keys',  'delete', 'system',   '他者の API キーの失効'),
  ('api_keys',  'admin',  'system',   'API キー管理の全権限'),
  ('sessions',  'read',   'system',   '他者のセッションの閲覧'),
  ('sessions',  'delete', 'system',   '他者のセッションの失効'),
  ('sessions',  'admin',  'system',   'セッション管理の全権限'),
  ('ledger',    'read',   'system',   '台帳・証明・検証結果の閲覧'),
  ('ledger',    'admin',  'system',   '監査対象と証人の管理'),
  ('events',    'read',   'system',   'セキュリティイベントの閲覧'),
  ('events',    'write',  'system',   'セキュリティイベントの記録と対応'),
  ('events',    'admin',  'system',   'セキュリティイベント管理の全権限'),
  ('lifecycle', 'read',   'system',   '保持ポリシーとパーティションの閲覧'),
  ('lifecycle', 'write',  'system',   '保持ポリシーの変更'),
  ('lifecycle', 'admin',  'system',   'リーガルホールドを含む全権限'),
  ('archive',   'read',   'system',   'アーカイブの状態の閲覧'),
  ('archive',   'write',  'system',   'アーカイブの実行と検証'),
  ('archive',   'admin',  'system',   'アーカイブからの復元を含む全権限'),
  ('query',     'read',   'system',   'テーブル全体に対する照会'),
  ('backup',    'read',   'system',   'バックアップと復旧訓練の結果の閲覧'),
  ('backup',    'write',  'system',   'バックアップと復旧訓練の実行'),
  ('backup',    'admin',  'system',   '復元とバックアップの削除を含む全権限'),
  ('jobs',      'read',   'system',   'ジョブと実行履歴の閲覧'),
  ('jobs',      'write',  'system',   'ジョブの停止・再開'),
  ('keys',      'read',   'system',   '鍵の状態の閲覧'),
  ('keys',      'admin',  'system',   '個人の鍵の消去を含む全権限'),
  ('reports',   'read',   'system',   'コンプライアンスレポートの閲覧'),
  ('reports',   'write',  'system',   'コンプライアンスレポートの作成'),
  ('approvals', 'read',   'system',   '承認の依頼と状況の閲覧'),
  ('approvals', 'write',  'system',   '承認の依頼・承認・取り下げ'),
  ('messages',  'admin',  'system',   '理由を記録した上での全メッセージの閲覧'),
  ('rooms',     'read',   'service',  '公開ルームの閲覧と参加'),
  ('rooms',     'write',  'service',  'ルームの作成'),
  ('rooms',     'admin',  'business', '全ルームの管理');

insert into akashi_auth.roles (name, description, tier) values
  ('security_admin', 'セキュリティ管理者。イベント対応・検知・アカウントと鍵の統制', 'system'),
  ('viewer',         '一般利用者。全ユーザーの初期ロール',                           'service');

insert into akashi_auth.role_permissions (role_id, permission_id)
select r.id, p.id
from akashi_auth.roles r
cross join akashi_auth.permissions p
where (p.resource in ('roles', 'api_keys', 'sessions', 'ledger', 'events', 'lifecycle', 'archive', 'query', 'backup', 'jobs',
                      'keys', 'reports', 'approvals', 'messages', 'rooms') and (
        r.name = 'sys_admin'
     or (r.name = 'sys_operator' and (p.resource, p.action) in (
          ('roles', 'read'), ('sessions', 'read'), ('ledger', 'read'), ('events', 'read'),
          ('lifecycle', 'read'), ('lifecycle', 'write'), ('archive', 'read'), ('archive', 'write'), ('backup', 'read'),
          ('backup', 'write'), ('jobs', 'read'), ('jobs', 'write'), ('keys', 'read'), ('reports', 'read'), ('reports', 'write')))
     or (r.name = 'sys_auditor' and p.action = 'read' and p.resource <> 'rooms')
     or (r.name = 'viewer' and (p.resource, p.action) in (('rooms', 'read'), ('rooms', 'write')))))
   or (r.name = 'security_admin' and (
        p.resource in ('events', 'sessions', 'api_keys', 'messages')
     or (p.resource, p.action) in (('users', 'read'), ('approvals', 'read'), ('approvals', 'write'), ('auth_config', 'read'), ('auth_config', 'write'), ('audit_logs', 'read'),
          ('monitoring', 'read'), ('roles', 'read'), ('ledger', 'read'), ('query', 'read'), ('keys', 'read'), ('reports', 'read'), ('reports', 'write'))));
