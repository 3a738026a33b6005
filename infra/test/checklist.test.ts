/**
 * The checklists that the infrastructure was asked for by, item by item: the checks that show it, each with the settings
 * whose change makes it fail, or the test of the server that does, or what it waits for. `coverage/checklists.txt` has
 * them for people.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { dev, prod, staging } from '../parameter.ts'
import { type Check, checks } from './checks/index.ts'
import { synthesize } from './support/synthesize.ts'
import { watchedBy } from './support/watched.ts'

interface Item {
  readonly item: string
  /** Beginnings of names of checks. */
  readonly checks?: readonly string[]
  /** Tests, from the root of the repository, and the words by which they show it. */
  readonly tests?: readonly (readonly [path: string, text: string])[]
  /** What shows it in the end. */
  readonly waits?: string
}

const ROOT = join(import.meta.dirname, '../..')
/** Each item with its checks, and each check with the settings that it watches; written for people. */
/** Settings of one check; some watch thousands. */
const SHOWN = 40
const LIST = join(import.meta.dirname, '../coverage/checklists.txt')
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
  { item: 'チャットアプリ用テーブル設計', tests: [['test/chat/tables.test.ts', 'akashi_audit_update']] },
  {
    item: 'BLEA監査カラム追加',
    tests: [
      ['test/chat/tables.test.ts', 'last_modified_by'],
      ['test/identity/users-table.test.ts', 'last_modified_by'],
    ],
  },
  { item: '行レベルセキュリティ設定', tests: [['test/postgres/access.test.ts', 'relforcerowsecurity']] },
  {
    item: 'データ分類設定',
    checks: ['tags: project, environment, classification'],
    tests: [['test/chat/classification-http.test.ts', 'classification of']],
  },
  { item: '自動バックアップ設定', checks: ['database: automated backups', 'backup: every day'] },
  { item: 'Point-in-timeリカバリ設定', checks: ['database: automated backups'] },
  { item: 'クロスリージョンバックアップ', checks: ['backup: copies to', 'recovery region: a vault'] },
  {
    item: '復旧テスト手順作成',
    checks: ['restore test: the newest', 'restore test: into'],
    tests: [['test/start/recovery-runbook.test.ts', 'recovery.md']],
  },
]

const strengtheningTask: readonly Item[] = [
  {
    item: 'PostgreSQLログ有効化',
    checks: ['database: DDL, roles and grants', 'database: statements of three seconds'],
  },
  { item: 'CloudWatch Logs統合', checks: ['database: its log and failed', 'logs: one month'] },
  { item: '監査トリガー実装', tests: [['test/audit/trail.test.ts', 'changed_fields']] },
  {
    item: 'データアクセスログ記録',
    checks: ['database: pgaudit'],
    tests: [['test/http/access.test.ts', 'records the reading that it declares']],
  },
  {
    item: '列レベル暗号化実装',
    checks: ['keys: the person keyring'],
    tests: [['test/keys/person-vault.test.ts', 'moved to']],
  },
  { item: 'データマスキング設定', tests: [['test/audit/masked.test.ts', 'masked']] },
  { item: 'アクセス制御強化', checks: ['database: IAM authentication', 'roles: each for one service'] },
  {
    item: 'データ漏洩防止策',
    checks: ['endpoints: only the calls', 'database: no value of a statement'],
    tests: [['test/detection/rules.test.ts', 'testRules']],
  },
  {
    item: 'インデックス設計',
    tests: [['test/chat/tables.test.ts', 'btree (room_id, created_at DESC)']],
  },
  { item: 'クエリ最適化', tests: [['test/chat/source-queries.test.ts', 'Index Scan']] },
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
    tests: [
      ['test/start/infra-install.test.ts', 'is rolled back'],
      ['test/postgres/migrations.test.ts', 'dumpSchema'],
    ],
  },
  { item: '監査ログが記録される', tests: [['test/audit/trail.test.ts', 'comes from the signed context']] },
  {
    item: '行レベルセキュリティが機能する',
    tests: [['test/identity/access-matrix.test.ts', 'users:']],
  },
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
    checks: [
      'backup: an air-gapped vault',
      'witness: locked for three years',
      'archive: written by the tasks',
    ],
    tests: [['test/audit/tampering.test.ts', 'a superuser who alters sealed rows']],
  },
  {
    item: 'データ保存期間の管理',
    checks: ['backup: every day', 'logs: one month', 'buckets: reports are under'],
  },
  {
    item: '個人情報の適切な取り扱い',
    checks: ['database: no value of a statement', 'keys: the person keyring'],
    tests: [['test/identity/erasure.test.ts', 'certified']],
  },
]

/** The settings of the code that the task gives. */
const code: readonly Item[] = [
  { item: 'public cluster, public secret', tests: [['infra/test/outputs.test.ts', 'stack.cluster']] },
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
    tests: [
      ['infra/test/outputs.test.ts', 'DatabaseSecretArn'],
      ['test/start/infra-install.test.ts', 'DATABASE_PORT'],
    ],
  },
  {
    item: 'initializer: PRIVATE_WITH_EGRESS',
    checks: ['initializer: a backup before', 'network: compute subnets'],
  },
]

/** S1, 7.1: all of it, and nothing else. */
const backups: readonly Item[] = [
  {
    item: '自動バックアップ: 7日間保持（本番：35日間）',
    checks: ['database: automated backups', 'backup: every day'],
  },
  { item: 'ポイントインタイム復旧: 有効（1秒単位）', checks: ['database: automated backups'] },
  {
    item: 'スナップショット: 日次、重要な変更前',
    checks: ['backup: every day', 'snapshot: starts', 'snapshot: succeeds', 'initializer: a backup before'],
  },
  {
    item: 'クロスリージョンバックアップ: 本番環境で有効',
    checks: ['backup: copies to', 'recovery region: copies are under a key'],
  },
  {
    item: '暗号化: 全バックアップデータをKMS暗号化',
    checks: ['backup: the vault is under', 'database: storage and', 'recovery account: copies are under'],
  },
  {
    item: 'アクセス制御: バックアップデータへの厳格なアクセス制御',
    checks: ['backup: a vault in which nobody', 'keys: the backup key', 'notices: vaults that are opened'],
  },
]

/** S1, 7.2. */
const watched: readonly Item[] = [
  { item: '接続数: 最大接続数の70%', checks: ['alarms: connections above 70 %'] },
  { item: 'ディスク使用量: 75%', checks: ['alarms: storage above 75 %'] },
  {
    item: 'スロークエリ: 実行時間3秒以上',
    checks: [
      'alarms: statements of three seconds',
      'alarms: a statement of three seconds',
      'database: statements of three seconds',
    ],
  },
  {
    item: 'デッドロック: 発生時即時通知',
    checks: ['alarms: a deadlock, at once', 'topic: reaches the operators'],
  },
  {
    item: 'セキュリティイベント: リアルタイム監視・自動対応',
    checks: [
      'alarms: every alarm of severity critical',
      'alarms: every alarm of severity high',
      'notices: threats',
    ],
    tests: [['test/detection/live.test.ts', 'keeps a finding, its event']],
  },
  {
    item: 'データ整合性: 定期的なデータ整合性チェック',
    checks: ['alarms: a verification', 'alarms: a cross-check'],
    tests: [['test/operations/backup-watch.test.ts', 'rows that refer to none are found']],
  },
  {
    item: '暗号化状態: KMS キー状態・ローテーション監視',
    checks: ['notices: keys that are disabled', 'alarms: the age of keys', 'conformance: a rule'],
  },
  {
    item: 'アクセスパターン: 異常なアクセスパターンの自動検知',
    checks: ['GuardDuty: sign-ins to the database', 'notices: threats'],
    tests: [['test/detection/live.test.ts', 'unusual_access_pattern']],
  },
  {
    item: 'コンプライアンス: Config Rules準拠状況の継続監視',
    checks: ['conformance: a rule', 'recorder: records every kind', 'notices: what no longer conforms'],
  },
]

/** What of Akashi itself, and of the rest, is watched beyond that. */
const watchedToo: readonly Item[] = [
  { item: 'レプリケーション遅延', checks: ['alarms: a reader a second behind', 'alarms: a gigabyte of WAL'] },
  {
    item: '封印の遅れ',
    checks: ['alarms: rows that are not sealed'],
    tests: [['infra/test/metrics.test.ts', 'SealAlarms']],
  },
  {
    item: 'バックアップの経過時間',
    checks: ['alarms: the age of backups', 'alarms: no backup of AWS Backup'],
  },
  { item: '訓練の経過時間', checks: ['alarms: drills that fail'] },
  { item: '失敗したジョブ', checks: ['alarms: failed and missed jobs', 'alarms: workers that do not look'] },
  { item: 'メトリクスの途絶', checks: ['alarms: metrics that no longer arrive'] },
  { item: '通知: 暗号化、TLS', checks: ['topic: encrypted', 'topic: CloudWatch, Budgets', 'topic: its key'] },
  { item: '予算', checks: ['budget: 80 %'] },
  { item: 'ダッシュボード', checks: ['dashboard: shows every alarm'] },
  {
    item: 'X-Ray: OpenTelemetryのトレース',
    checks: [
      'tasks: serve is not root',
      'roles: serve uses the keyring key and the object store, and sends traces',
      'endpoints: interfaces for',
      'images: so it does for the collector',
    ],
    waits: ACCOUNT,
  },
]

/** S1, 7.3. */
const maintenance: readonly Item[] = [
  {
    item: '統計情報更新: 日次実行',
    tests: [['test/operations/maintenance.test.ts', 'analyze']],
  },
  {
    item: '不要データ削除: ライフサイクル管理',
    checks: ['backup: every day', 'logs: one month', 'archive: results of queries are encrypted'],
    tests: [['test/operations/schedule.test.ts', 'archive-expire']],
  },
  {
    item: 'インデックス再構築: 月次実行',
    tests: [['test/operations/maintenance.test.ts', 'reindex']],
  },
  {
    item: 'セキュリティパッチ適用: 自動適用（メンテナンス時間内）',
    checks: ['database: minor versions', 'database: instances take', 'cache: Valkey with TLS'],
  },
  {
    item: '暗号化キーローテーション: 年次実行（KMS自動ローテーション）',
    checks: ['keys: rotated every year'],
    tests: [['test/identity/key-rotation.test.ts', 'the timetable of keys']],
  },
  {
    item: '監査ログアーカイブ: 四半期実行',
    checks: ['archive: under the archive key, with Object Lock'],
    tests: [['test/operations/schedule.test.ts', 'archive.export']],
  },
  {
    item: 'コンプライアンスレポート: 月次自動生成',
    checks: ['backup audit: reports'],
    tests: [['test/report/report.test.ts', 'compliance-report']],
  },
  {
    item: '災害復旧テスト: 半年次実行',
    checks: ['restore test: the newest'],
    tests: [['test/operations/schedule.test.ts', 'backup-recovery-test']],
  },
]

/** S1, 8.2. */
const growth: readonly Item[] = [
  { item: 'メッセージテーブル: 自動パーティション', tests: [['test/chat/tables.test.ts', 'messages_']] },
  { item: '読み取りレプリカ: Aurora Auto Scaling対応', checks: ['database: readers are added'] },
  { item: 'シャーディング: エンジンに任せ、テナントごとにデータベースを分ける', waits: 'nothing: not ours' },
  {
    item: 'キャッシュ戦略: ElastiCache統合・セッション共有',
    checks: ['cache: Valkey with TLS', 'cache: only the tasks'],
  },
  { item: 'CDN統合: S3+CloudFront', checks: ['edge: TLS 1.2', 'edge: reaches the private'] },
  { item: 'マルチリージョン対応: Aurora Global Database準備', checks: ['database: a Global Database'] },
  {
    item: 'コンプライアンス: 地域別データ所在地要件対応',
    tests: [['infra/test/parameter.test.ts', 'dataResidency']],
  },
]

/** S4: the resources that its table names, and what its pictures add. */
const archive: readonly Item[] = [
  {
    item: 'Aurora PostgreSQL: メインDB（aws_s3 拡張、IAMロール）',
    checks: ['database: in the data subnets', 'tasks: the database admits', 'roles: work uses'],
    tests: [['test/lifecycle/policies.test.ts', 'aws_s3']],
  },
  {
    item: 'S3 Bucket: ライフサイクルポリシー、暗号化(SSE-KMS)',
    checks: ['archive: under the archive key, with Object Lock'],
    tests: [['test/lifecycle/infra-tables.test.ts', 'the rules of the bucket']],
  },
  { item: 'IAM Role: s3:PutObject, s3:GetObject', checks: ['roles: work uses', 'roles: serve uses'] },
  {
    item: 'Glue Crawler: 日次スケジュール（パーティション射影で代替）',
    checks: ['archive: the table security_events'],
    tests: [['test/lifecycle/ddl.test.ts', 'projection.day.range']],
  },
  {
    item: 'Glue Catalog: Athenaと共有',
    checks: ['archive: the database idp_archive', 'archive: the table security_events'],
    tests: [['test/lifecycle/infra-tables.test.ts', 'every archived table']],
  },
  {
    item: 'Athena: Workgroup設定、結果出力先S3',
    checks: ['archive: a query reads no more', 'archive: results of queries are encrypted'],
    tests: [['test/lifecycle/query.test.ts', 'openQueries']],
    waits: ACCOUNT,
  },
  {
    item: 'KMS: S3, Aurora両方で使用',
    checks: ['archive: under the archive key', 'keys: the archive key', 'keys: the database key serves'],
  },
  { item: 'S3 Bucket Policy: 書き込み元の限定', checks: ['archive: written by the tasks alone'] },
  {
    item: 'QuickSight: Athenaのテーブルから読める（Akashiは自身の画面で示す）',
    checks: ['archive: the table security_events'],
    tests: [['test/web/console/console.test.ts', 'says in words whether all is well']],
  },
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
  {
    item: '既存のものを使う設定',
    tests: [['infra/test/settings.test.ts', 'an account that is watched already']],
  },
]

const lists: Readonly<Record<string, { size: number; items: readonly Item[] }>> = {
  'Day 3: 設計': { size: 12, items: designTask },
  'Day 4: 監査とセキュリティ強化': { size: 12, items: strengtheningTask },
  検証項目: { size: 8, items: verification },
  セキュリティ考慮事項: { size: 6, items: considerations },
  'Aurora CDK実装': { size: 23, items: code },
  '7.1 バックアップ設定': { size: 6, items: backups },
  '7.2 監視項目': { size: 9, items: watched },
  '7.2 に加える監視': { size: 10, items: watchedToo },
  '7.3 メンテナンス': { size: 8, items: maintenance },
  '8.2 スケーラビリティ対応': { size: 7, items: growth },
  必要なAWSリソース: { size: 10, items: archive },
  サービス: { size: 6, items: service },
  アカウントの監視: { size: 6, items: guards },
}

const all: readonly Check[] = Object.values(checks).flat()
/** What no environment has is asked of one that does. */
const global = { ...prod, database: { ...prod.database, globalRegions: ['ap-northeast-3'] } }
const environments = [prod, staging, dev, global].map((parameter) => ({
  parameter,
  stacks: synthesize(parameter),
}))
/** Lines for people. */
const lines: string[] = []

describe.each(Object.entries(lists))('%s', (list, { size, items }) => {
  test('is complete', () => expect(new Set(items.map(({ item }) => item)).size).toBe(size))

  test.each(items)('$item', ({ item, checks: names = [], tests = [], waits }) => {
    expect(names.length + tests.length > 0 || waits !== undefined).toBe(true)
    lines.push(`${list}: ${item}`)
    for (const name of names) {
      const found = all.filter((check) => check.name.startsWith(name))
      expect(found, name).not.toEqual([])
      for (const check of new Set(found)) {
        const settings = watchedBy(check, environments)
        expect(settings, `${check.name}: no change of a setting makes it fail`).not.toEqual([])
        const shown = settings.slice(0, SHOWN).map((setting) => `        ${setting}`)
        const more = settings.length - shown.length
        lines.push(`    ${check.name}`, ...shown, ...(more > 0 ? [`        and ${more} more`] : []))
      }
    }
    for (const [path, text] of tests) {
      expect(readFileSync(join(ROOT, path), 'utf8'), path).toContain(text)
      lines.push(`    ${path}: ${text}`)
    }
    if (waits !== undefined) lines.push(`    shown in the end by ${waits}`)
  })
})

test('a name means one check of a stack', () => {
  for (const some of Object.values(checks)) {
    const names = some.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  }
})

afterAll(() => {
  mkdirSync(join(LIST, '..'), { recursive: true })
  writeFileSync(LIST, `${lines.join('\n')}\n`)
})
