/**
 * The checklists that the infrastructure was asked for by, item by item: the checks that show it, or the test
 * of the server that does, or what it waits for.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Check, checks } from './checks/index.ts'

interface Item {
  readonly item: string
  /** Beginnings of names of checks. */
  readonly checks?: readonly string[]
  /** Tests, from the root of the repository. */
  readonly tests?: readonly string[]
  /** What has to be built first. */
  readonly waits?: string
}

const ROOT = join(import.meta.dirname, '../..')
const ACCOUNT = 'an AWS account; infra/README.md says how to check it there'

const designTask: readonly Item[] = [
  {
    item: 'Aurora Serverless v2 クラスター設計',
    checks: ['database: Serverless v2', 'database: a writer and'],
  },
  {
    item: 'KMS暗号化キー作成・設定',
    checks: ['keys: one for each kind of data', 'keys: the database key serves'],
  },
  {
    item: 'Secrets Manager認証情報設定',
    checks: ['secret: 32 characters', 'database: credentials come from'],
  },
  {
    item: 'VPC内配置とセキュリティグループ設定',
    checks: ['database: in the data subnets', 'security groups: the database'],
  },
  { item: 'チャットアプリ用テーブル設計', tests: ['test/chat/tables.test.ts'] },
  { item: 'BLEA監査カラム追加', tests: ['test/chat/tables.test.ts', 'test/identity/users-table.test.ts'] },
  { item: '行レベルセキュリティ設定', tests: ['test/postgres/access.test.ts'] },
  {
    item: 'データ分類設定',
    checks: ['tags: project, environment, classification'],
    tests: ['test/chat/tables.test.ts'],
  },
  { item: '自動バックアップ設定', checks: ['database: automated backups', 'backup: every day'] },
  { item: 'Point-in-timeリカバリ設定', checks: ['database: automated backups'] },
  { item: 'クロスリージョンバックアップ', checks: ['backup: copies to', 'recovery region: a vault'] },
  { item: '復旧テスト手順作成', checks: ['restore test: the newest', 'restore test: into'] },
]

const strengtheningTask: readonly Item[] = [
  {
    item: 'PostgreSQLログ有効化',
    checks: ['database: DDL, roles and grants', 'database: statements of three seconds'],
  },
  { item: 'CloudWatch Logs統合', checks: ['database: its log and failed', 'logs: one month'] },
  { item: '監査トリガー実装', tests: ['test/audit/trail.test.ts'] },
  { item: 'データアクセスログ記録', checks: ['database: pgaudit'], tests: ['test/audit/trail.test.ts'] },
  {
    item: '列レベル暗号化実装',
    checks: ['keys: the person keyring'],
    tests: ['test/keys/person-vault.test.ts'],
  },
  { item: 'データマスキング設定', tests: ['test/identity/users.test.ts'] },
  { item: 'アクセス制御強化', checks: ['database: IAM authentication', 'roles: each for one service'] },
  { item: 'データ漏洩防止策', checks: ['endpoints: only the calls', 'database: no value of a statement'] },
  { item: 'インデックス設計', tests: ['test/chat/tables.test.ts'] },
  { item: 'クエリ最適化', tests: ['test/chat/source-queries.test.ts'] },
  { item: 'Performance Insights設定', checks: ['database: Database Insights in the mode'] },
  {
    item: 'モニタリング設定',
    checks: [
      'database: enhanced monitoring',
      'events: what RDS reports',
      'dashboard: shows every alarm',
      'alarms: every alarm of severity critical',
    ],
  },
]

const verification: readonly Item[] = [
  { item: 'Aurora クラスターが正常に作成される', checks: ['database: Aurora PostgreSQL'], waits: ACCOUNT },
  {
    item: 'KMS暗号化が有効になる',
    checks: ['database: storage is encrypted', 'database: storage and'],
    waits: ACCOUNT,
  },
  { item: 'Secrets Manager 認証情報が機能する', checks: ['secret: knows the cluster'], waits: ACCOUNT },
  {
    item: 'データベーススキーマが正常に作成される',
    checks: ['initializer: the task that installs'],
    tests: ['test/start/infra-install.test.ts', 'test/postgres/migrations.test.ts'],
  },
  { item: '監査ログが記録される', tests: ['test/audit/trail.test.ts'] },
  { item: '行レベルセキュリティが機能する', tests: ['test/chat/access-matrix.test.ts'] },
  {
    item: 'バックアップが実行される',
    checks: ['backup: every day', 'backup: the plan takes'],
    waits: ACCOUNT,
  },
  {
    item: 'Performance Insights が動作する',
    checks: ['database: Database Insights of instances'],
    waits: ACCOUNT,
  },
]

const considerations: readonly Item[] = [
  {
    item: '暗号化キーのローテーション設定',
    checks: ['keys: rotated every year', 'secret: rotated every 30 days'],
  },
  {
    item: '最小権限アクセス制御',
    checks: ['roles: ', 'keys: the database key serves', 'endpoints: only the calls'],
  },
  { item: 'ネットワーク分離（Isolated subnet）', checks: ['network: data subnets have no route out'] },
  {
    item: '監査ログの改ざん防止',
    checks: ['backup: an air-gapped vault'],
    tests: ['test/audit/tampering.test.ts'],
  },
  {
    item: 'データ保存期間の管理',
    checks: ['backup: every day', 'logs: one month', 'buckets: reports are under'],
  },
  {
    item: '個人情報の適切な取り扱い',
    checks: ['database: no value of a statement'],
    tests: ['test/identity/erasure.test.ts'],
  },
]

/** The settings of the code that the task gives. */
const code: readonly Item[] = [
  { item: 'public cluster, public secret', tests: ['infra/test/outputs.test.ts'] },
  {
    item: "kms.Key description 'ChatApp Aurora encryption key'",
    checks: ['keys: the description of the database key'],
  },
  { item: 'enableKeyRotation: true', checks: ['keys: rotated every year'] },
  { item: 'keyPolicy', checks: ['keys: the database key serves'] },
  { item: "description 'ChatApp Aurora database credentials'", checks: ['secret: the description'] },
  { item: 'generateSecretString', checks: ['secret: 32 characters'] },
  { item: 'encryptionKey of the secret', checks: ['secret: under the secrets key'] },
  { item: 'engine auroraPostgres', checks: ['database: Aurora PostgreSQL'] },
  { item: 'credentials fromSecret', checks: ['database: credentials come from the secret'] },
  {
    item: 'storageEncrypted, storageEncryptionKey',
    checks: ['database: storage is encrypted', 'database: storage and'],
  },
  { item: 'vpcSubnets PRIVATE_ISOLATED', checks: ['database: in the data subnets', 'network: data subnets'] },
  { item: 'securityGroups [databaseSecurityGroup]', checks: ['database: behind its security group alone'] },
  { item: 'writer', checks: ['database: a writer and', 'database: the first reader'] },
  { item: 'serverlessV2MinCapacity 0.5, MaxCapacity 4', checks: ['database: Serverless v2'] },
  { item: 'backup.retention, preferredWindow 03:00-04:00', checks: ['database: automated backups'] },
  {
    item: 'monitoringInterval 1 minute, monitoringRole',
    checks: ['database: enhanced monitoring', 'roles: each for'],
  },
  { item: "cloudwatchLogsExports ['postgresql']", checks: ['database: its log and failed'] },
  { item: 'cloudwatchLogsRetention ONE_MONTH', checks: ['logs: one month'] },
  {
    item: 'performanceInsightEncryptionKey, Retention',
    checks: ['database: Database Insights in', 'database: storage and'],
  },
  { item: 'tags', checks: ['tags: project, environment, classification'] },
  { item: 'port 5432', checks: ['database: port 5432'] },
  {
    item: 'initializer: SECRET_ARN, DATABASE_ENDPOINT',
    checks: ['initializer: the task that installs', 'roles: ECS fetches'],
    tests: ['infra/test/outputs.test.ts', 'test/start/infra-install.test.ts'],
  },
  {
    item: 'initializer: PRIVATE_WITH_EGRESS',
    checks: ['initializer: a backup before', 'network: compute subnets'],
  },
]

const operation: readonly Item[] = [
  {
    item: '自動バックアップ: 7日間保持（本番：35日間）',
    checks: ['database: automated backups', 'backup: every day'],
  },
  { item: 'ポイントインタイム復旧', checks: ['database: automated backups'] },
  {
    item: 'スナップショット: 日次、重要な変更前',
    checks: ['backup: every day', 'snapshot: starts', 'snapshot: succeeds'],
  },
  {
    item: 'クロスリージョンバックアップ',
    checks: ['backup: copies to', 'recovery region: copies are under a key'],
  },
  {
    item: '全バックアップデータをKMS暗号化',
    checks: ['backup: the vault is under', 'database: storage and'],
  },
  {
    item: 'バックアップデータへの厳格なアクセス制御',
    checks: ['backup: a vault in which nobody', 'keys: the backup key'],
  },
  {
    item: '接続数・ディスク・スロークエリ・デッドロックの監視',
    checks: [
      'alarms: connections above 70 %',
      'alarms: storage above 75 %',
      'alarms: a statement of three seconds',
      'alarms: a deadlock, at once',
    ],
  },
  {
    item: 'セキュリティパッチ適用: メンテナンス時間内',
    checks: ['database: minor versions', 'database: instances take'],
  },
  { item: '暗号化キーローテーション: 年次', checks: ['keys: rotated every year'] },
  { item: '災害復旧テスト', checks: ['restore test: the newest'], tests: ['test/operations/drills.test.ts'] },
]

const growth: readonly Item[] = [
  { item: '読み取りレプリカ: Aurora Auto Scaling対応', checks: ['database: readers are added'] },
  { item: 'マルチリージョン対応: Aurora Global Database準備', checks: ['database: a Global Database'] },
  { item: '地域別データ所在地要件対応', tests: ['infra/test/parameter.test.ts'] },
  { item: 'Aurora: VPC内のPostgreSQL', checks: ['database: in the data subnets'] },
  { item: 'KMS (暗号化キー): S3, Aurora', checks: ['keys: the archive key', 'keys: the database key'] },
]

const archive: readonly Item[] = [
  {
    item: 'Aurora: VPC内のPostgreSQL',
    checks: ['database: in the data subnets', 'tasks: the database admits'],
  },
  { item: 'S3: アーカイブ用バケット', checks: ['archive: under the archive key, with Object Lock'] },
  {
    item: 'S3 Standard-IA、Glacier Deep Archive',
    checks: ['archive: under the archive key, with Object Lock'],
  },
  {
    item: 'Glue Catalog、Athena共有',
    checks: ['archive: the database idp_archive', 'archive: the table security_events'],
    tests: ['test/lifecycle/infra-tables.test.ts'],
  },
  {
    item: 'Athena: ワークグループ、結果の保存先',
    checks: ['archive: a query reads no more', 'archive: results of queries are encrypted'],
    waits: ACCOUNT,
  },
  {
    item: 'IAMロール: s3:PutObject, s3:GetObject',
    checks: ['roles: work uses', 'roles: serve uses'],
  },
  { item: 'バケットポリシー: 書き込み元の限定', checks: ['archive: written by the tasks alone'] },
  { item: 'KMS: SSE-KMS', checks: ['archive: under the archive key', 'keys: the archive key'] },
  {
    item: 'audit_logs/: コールド3年、別アカウント',
    checks: ['witness: locked for three years', 'witness: the worker of the environment'],
  },
]

const service: readonly Item[] = [
  { item: 'ElastiCache: TLS、認証', checks: ['cache: Valkey with TLS', 'cache: only the tasks'] },
  { item: 'CDN: CloudFront', checks: ['edge: TLS 1.2', 'edge: reaches the private'] },
  { item: 'Cognito: MFA', checks: ['sign-in: a second factor', 'sign-in: the code flow'] },
  { item: 'WAF', checks: ['web ACL: floods', 'balancer: the web ACL'] },
  {
    item: 'Fargate: 自動スケーリング',
    checks: ['tasks: serve scales by CPU', 'tasks: serve scales by connections'],
  },
  {
    item: 'コンテナ: 非root、読み取り専用',
    checks: ['tasks: serve is not root', 'tasks: work is not root', 'images: a tag means'],
  },
]

/** S1 7.2, and what of Akashi itself is watched. */
const watched: readonly Item[] = [
  { item: '接続数: 最大接続数の70%', checks: ['alarms: connections above 70 %'] },
  { item: 'ディスク使用量: 75%', checks: ['alarms: storage above 75 %'] },
  {
    item: 'スロークエリ: 3秒以上',
    checks: ['alarms: statements of three seconds', 'alarms: a statement of three seconds'],
  },
  { item: 'デッドロック: 即座に通知', checks: ['alarms: a deadlock, at once'] },
  { item: 'レプリケーション遅延', checks: ['alarms: a reader a second behind', 'alarms: a gigabyte of WAL'] },
  { item: '封印の遅れ', checks: ['alarms: rows that are not sealed'], tests: ['infra/test/metrics.test.ts'] },
  { item: '検証', checks: ['alarms: a verification'] },
  { item: '突合', checks: ['alarms: a cross-check'] },
  {
    item: 'バックアップの経過時間',
    checks: ['alarms: the age of backups', 'alarms: no backup of AWS Backup'],
  },
  { item: '訓練の経過時間', checks: ['alarms: drills that fail'] },
  { item: '失敗したジョブ', checks: ['alarms: failed and missed jobs', 'alarms: workers that do not look'] },
  { item: 'メトリクスの途絶', checks: ['alarms: metrics that no longer arrive'] },
  {
    item: '暗号化状態: KMSキーの状態とローテーション',
    checks: ['notices: keys that are disabled', 'alarms: the age of keys'],
  },
  { item: '通知: 暗号化、TLS', checks: ['topic: encrypted', 'topic: CloudWatch, Budgets', 'topic: its key'] },
  { item: '予算', checks: ['budget: 80 %'] },
]

/** The baseline of the account. */
const guards: readonly Item[] = [
  {
    item: 'Security Hub: FSBP、CIS、NIST 800-53 r5',
    checks: [
      'Security Hub: one finding',
      'Security Hub: the standard aws-foundational',
      'Security Hub: the standard cis',
      'Security Hub: the standard nist-800-53',
      'notices: new findings',
    ],
  },
  { item: 'GuardDuty: RDS Protection', checks: ['GuardDuty: sign-ins to the database', 'notices: threats'] },
  {
    item: 'AWS Config: 適合パック',
    checks: ['conformance: a rule', 'recorder: records every kind', 'notices: what no longer conforms'],
  },
  {
    item: 'CloudTrail: アーカイブのデータイベント',
    checks: ['trail: data events', 'trail: its bucket', 'notices: guards that are stopped'],
  },
  { item: 'IAM Access Analyzer', checks: ['Access Analyzer: '] },
  { item: '既存のものを使う設定', tests: ['infra/test/settings.test.ts'] },
]

const lists: Readonly<Record<string, { size: number; items: readonly Item[] }>> = {
  'Day 3: 設計': { size: 12, items: designTask },
  'Day 4: 監査とセキュリティ強化': { size: 12, items: strengtheningTask },
  検証項目: { size: 8, items: verification },
  セキュリティ考慮事項: { size: 6, items: considerations },
  'Aurora CDK実装': { size: 23, items: code },
  '運用・保守': { size: 10, items: operation },
  スケーラビリティ対応: { size: 5, items: growth },
  アーカイブ: { size: 9, items: archive },
  サービス: { size: 6, items: service },
  監視: { size: 15, items: watched },
  アカウントの監視: { size: 6, items: guards },
}

const all: readonly Check[] = Object.values(checks).flat()

describe.each(Object.entries(lists))('%s', (_, { size, items }) => {
  test('is complete', () => expect(new Set(items.map(({ item }) => item)).size).toBe(size))

  test.each(items)('$item', ({ checks: names = [], tests = [] }) => {
    expect(names.length + tests.length).toBeGreaterThan(0)
    for (const name of names)
      expect(
        all.filter((check) => check.name.startsWith(name)),
        name,
      ).not.toEqual([])
    for (const path of tests) expect(existsSync(join(ROOT, path)), path).toBe(true)
  })
})

test('a name means one check of a stack', () => {
  for (const some of Object.values(checks)) {
    const names = some.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  }
})
