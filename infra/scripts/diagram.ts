/** Draws the stacks of production from their templates, as Mermaid text: their parts into the READMEs, all of them into docs. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib/core'
import { addEnvironment } from '../lib/environment.ts'
import { prod } from '../parameter.ts'

const FOLDER = join(import.meta.dirname, '..')
const MARKS = /(<!-- diagram:begin[^\n]*-->\n)([\s\S]*?)(<!-- diagram:end -->)/

export type Language = 'en' | 'ja'

export interface Page {
  readonly path: string
  readonly language: Language
  /** Every resource, or the parts that they make up. */
  readonly of: 'parts' | 'resources'
}

export const PAGES: readonly Page[] = [
  { path: 'README.md', language: 'en', of: 'parts' },
  { path: 'README.ja.md', language: 'ja', of: 'parts' },
  { path: 'docs/resources.md', language: 'en', of: 'resources' },
  { path: 'docs/resources.ja.md', language: 'ja', of: 'resources' },
]

interface Resource {
  readonly Type: string
  readonly Properties?: unknown
  readonly Metadata?: Readonly<Record<string, string>>
}

interface Template {
  readonly Resources: Readonly<Record<string, Resource>>
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown }>>
}

/** By the end of the name. */
type Stacks = Readonly<Record<string, Template>>

interface Node {
  readonly id: string
  /** Resources drawn as this node: by the path in the app, and by the type. */
  readonly path: RegExp
  readonly type: RegExp
  readonly group: string
  readonly label: Readonly<Record<Language, string>>
}

const GROUPS: Readonly<Record<string, Readonly<Record<Language, string>>>> = {
  network: { en: 'Network', ja: 'ネットワーク' },
  database: { en: 'Database', ja: 'データベース' },
  backup: { en: 'Backup', ja: 'バックアップ' },
  tasks: { en: 'Tasks', ja: 'タスク' },
  archive: { en: 'Archive', ja: 'アーカイブ' },
  monitoring: { en: 'Monitoring', ja: '監視' },
  security: { en: 'Security', ja: 'セキュリティ' },
  logs: { en: 'Logs', ja: 'ログ' },
  keys: { en: 'Keys', ja: '鍵' },
  elsewhere: { en: 'Another region, another account', ja: '別リージョン・別アカウント' },
}

const NODES: readonly Node[] = [
  node(
    'public',
    'network',
    /^Network\/Vpc\/Public.*Subnet$/,
    /Subnet$/,
    'Public subnets',
    'パブリックサブネット',
  ),
  node('nat', 'network', /NATGateway$/, /NatGateway/, 'NAT gateways', 'NAT ゲートウェイ'),
  node(
    'compute',
    'network',
    /^Network\/Vpc\/Compute/,
    /(Subnet|Route)$/,
    'Compute subnets',
    'コンピュートサブネット',
  ),
  node(
    'data',
    'network',
    /^Network\/Vpc\/Data.*Subnet$/,
    /Subnet$/,
    'Data subnets, no route out',
    'データサブネット（外への経路なし）',
  ),
  node('endpoints', 'network', /^Network\//, /VPCEndpoint$/, 'VPC endpoints', 'VPC エンドポイント'),
  node('flows', 'network', /FlowLog/, /FlowLog$/, 'Flow logs', 'フローログ'),
  node('cluster', 'database', /^Database\/Cluster/, /RDS::/, 'Aurora PostgreSQL', 'Aurora PostgreSQL'),
  node(
    'secret',
    'database',
    /^Database\/Secret/,
    /SecretsManager/,
    'Secret, rotated',
    'シークレット（ローテーション）',
  ),
  node('logs', 'logs', /./, /LogGroup$/, 'Logs', 'ログ'),
  node('events', 'database', /^Database\/Events/, /Events::Rule/, 'Events of RDS', 'RDS イベント'),
  node('plan', 'backup', /^Backup\/Plan/, /Backup::/, 'Backup plan', 'バックアッププラン'),
  node('vault', 'backup', /^Backup\/Vault$/, /BackupVault$/, 'Vault', 'ボールト'),
  node('airgap', 'backup', /^Backup\/AirGapped/, /BackupVault$/, 'Air-gapped vault', 'エアギャップボールト'),
  node(
    'snapshot',
    'backup',
    /^Backup\/Snapshot/,
    /StateMachine$/,
    'Snapshot before changes',
    '変更前スナップショット',
  ),
  node('restore', 'backup', /^Backup\/RestoreTest/, /Backup::/, 'Monthly restore test', '月次リストアテスト'),
  node('audit', 'backup', /^Backup\/Audit/, /Backup::/, 'Backup audit', 'バックアップ監査'),
  node('reports', 'backup', /^Backup\/Audit\/Reports$/, /Bucket$/, 'Reports', 'レポート'),
  node('access', 'logs', /AccessLogs/, /Bucket$/, 'Access logs', 'アクセスログ'),
  node(
    'store',
    'archive',
    /^Archive: Archive\/Bucket/,
    /Bucket$/,
    'Object store, locked',
    'オブジェクトストア（ロック）',
  ),
  node('tables', 'archive', /^Archive: .*Catalog/, /Glue::/, 'Tables of the archive', 'アーカイブのテーブル'),
  node('athena', 'archive', /^Archive: /, /WorkGroup$/, 'Athena workgroup', 'Athena ワークグループ'),
  node('results', 'archive', /^Archive: .*Results/, /Bucket$/, 'Query results', 'クエリ結果'),
  node(
    'serving',
    'tasks',
    /^Service: Serve$/,
    /TaskDefinition$/,
    'serve, with its metrics',
    'serve とメトリクス',
  ),
  node('working', 'tasks', /^Service: Work$/, /TaskDefinition$/, 'work', 'work'),
  node(
    'install',
    'tasks',
    /^Service: (Install|Initializer\/StateMachine)$/,
    /./,
    'Installation',
    'インストール',
  ),
  node('keyring', 'tasks', /^Service: Keyring\/FileSystem$/, /FileSystem$/, 'Keyring', 'キーリング'),
  node('cache', 'tasks', /^Service: Cache\/Cluster/, /ReplicationGroup$/, 'Valkey', 'Valkey'),
  node(
    'balancer',
    'tasks',
    /^Service: LoadBalancer\/(Balancer|Targets)/,
    /ElasticLoadBalancing/,
    'Load balancer',
    'ロードバランサー',
  ),
  node('edge', 'tasks', /^Service: Edge/, /CloudFront/, 'CloudFront', 'CloudFront'),
  node('signIn', 'tasks', /^Service: SignIn/, /Cognito/, 'Cognito', 'Cognito'),
  node('alarms', 'monitoring', /^Monitoring: Alarms/, /(Alarm|MetricFilter)$/, 'Alarms', 'アラーム'),
  node('notices', 'monitoring', /^Monitoring: Notices/, /Rule$/, 'Notices', '通知'),
  node('budget', 'monitoring', /^Monitoring: Budget/, /Budget$/, 'Budget', '予算'),
  node('dashboard', 'monitoring', /^Monitoring: Dashboard/, /Dashboard$/, 'Dashboard', 'ダッシュボード'),
  node(
    'topic',
    'monitoring',
    /^Monitoring: Topic\/Topic$/,
    /Topic$/,
    'Topic of the operators',
    '運用者のトピック',
  ),
  node('hub', 'security', /^Security: (Hub|Fsbp|Cis|Nist)$/, /SecurityHub/, 'Security Hub', 'Security Hub'),
  node('guardDuty', 'security', /^Security: Detector$/, /Detector$/, 'GuardDuty', 'GuardDuty'),
  node('config', 'security', /^Security: (Recorder|Conformance)/, /Config::/, 'AWS Config', 'AWS Config'),
  node('trail', 'security', /^Security: Trail/, /Trail$/, 'CloudTrail', 'CloudTrail'),
  node('analyzer', 'security', /^Security: Analyzer$/, /Analyzer$/, 'Access Analyzer', 'Access Analyzer'),
  node(
    'collector',
    'tasks',
    /^Images: Collector$/,
    /Repository$/,
    'Image of the collector',
    'コレクターのイメージ',
  ),
  node('witness', 'elsewhere', /^Witness: Bucket/, /Bucket$/, 'Witness bucket', '証人バケット'),
  ...['Database', 'Secrets', 'Backup', 'Logs', 'Archive', 'PersonKeyring'].map((key) =>
    node(`key${key}`, 'keys', new RegExp(`^Keys/${key}$`), /Key$/, `Key: ${key}`, `鍵：${key}`),
  ),
]

function node(id: string, group: string, path: RegExp, type: RegExp, en: string, ja: string): Node {
  return { id, group, path, type, label: { en, ja } }
}

/** `Stack: path` of a resource, its stack by the end of its name. */
function nodeOf(stack: string, { Type, Metadata }: Resource): string | undefined {
  const path = (Metadata?.['aws:cdk:path'] ?? '').replace(/^[^/]*\//, '').replace(/\/Resource$/, '')
  const place = stack === 'Data' ? path : `${stack}: ${path}`
  return NODES.find((one) => one.path.test(place) && one.type.test(Type))?.id
}

/** What a value refers to: a logical id, and the stack where it is another one. */
function* references(value: unknown): Generator<{ readonly id: string; readonly stack?: string }> {
  if (typeof value !== 'object' || value === null) return
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::GetStackOutput': output } = value as References
  if (Ref !== undefined) yield { id: Ref }
  if (attribute !== undefined) yield { id: attribute[0] }
  if (output !== undefined) yield { id: output.OutputName, stack: ending(output.StackName) }
  for (const part of Object.values(value)) yield* references(part)
}

interface References {
  readonly Ref?: string
  readonly 'Fn::GetAtt'?: readonly [string, string]
  readonly 'Fn::GetStackOutput'?: { readonly StackName: string; readonly OutputName: string }
}

function ending(stackName: string): string {
  return stackName.split('-').at(-1) ?? ''
}

/** Buckets with a name of their own, by which others name them. */
function bucketsOf(stacks: Stacks): Map<string, string> {
  const found = Object.entries(stacks).flatMap(([stack, { Resources }]) =>
    Object.values(Resources).flatMap((resource): [string, string][] => {
      const { BucketName } = (resource.Properties ?? {}) as { readonly BucketName?: unknown }
      const id = nodeOf(stack, resource)
      return typeof BucketName === 'string' && id !== undefined ? [[BucketName, id]] : []
    }),
  )
  return new Map(found)
}

/** Who refers to whom, as `from to` of nodes. */
function edgesOf(stacks: Stacks): Set<string> {
  const edges = new Set<string>()
  const target = (stack: string, id: string): string | undefined => {
    const template = stacks[stack]
    const resource = template?.Resources[id]
    if (resource !== undefined) return nodeOf(stack, resource)
    for (const inner of references(template?.Outputs?.[id]?.Value)) return target(stack, inner.id)
    return undefined
  }
  const buckets = bucketsOf(stacks)
  for (const [stack, { Resources }] of Object.entries(stacks)) {
    for (const resource of Object.values(Resources)) {
      const from = nodeOf(stack, resource)
      const text = JSON.stringify(resource.Properties ?? {})
      for (const [name, to] of buckets) {
        if (from !== undefined && from !== to && text.includes(name)) edges.add(`${from} ${to}`)
      }
      for (const reference of references(resource.Properties)) {
        const to = target(reference.stack ?? stack, reference.id)
        if (from !== undefined && to !== undefined && from !== to) edges.add(`${from} ${to}`)
      }
    }
  }
  return edges
}

/** The drawing of the stacks of an environment, and of the recovery stacks that its copies go to. */
function diagram(stacks: Stacks, language: Language): string {
  const recovery = Object.keys(stacks)
    .filter((stack) => stack.startsWith('Recovery'))
    .toSorted()
  const used = new Set(
    Object.entries(stacks).flatMap(([stack, { Resources }]) =>
      Object.values(Resources).map((resource) => nodeOf(stack, resource)),
    ),
  )
  const lines = ['flowchart LR']
  for (const [group, title] of Object.entries(GROUPS)) {
    lines.push(`  subgraph ${group}["${title[language]}"]`)
    for (const { id, label } of NODES.filter((one) => one.group === group && used.has(one.id))) {
      lines.push(`    ${id}["${label[language]}"]`)
    }
    if (group === 'elsewhere') lines.push(...recovery.map((name) => `    ${name}["${name}"]`))
    lines.push('  end')
  }
  for (const edge of [...edgesOf(stacks)].toSorted()) {
    const [from, to = ''] = edge.split(' ')
    lines.push(`  ${from} ${/^key[A-Z]/.test(to) ? '-.->' : '-->'} ${to}`)
  }
  lines.push(...recovery.map((name) => `  plan --> ${name}`))
  return lines.join('\n')
}

/** The parts of the application, and which uses which. */
function overview(stacks: Stacks, language: Language): string {
  const groupOf = (id: string) => NODES.find((one) => one.id === id)?.group
  const edges = new Set(
    [
      ...edgesOf(stacks),
      ...Object.keys(stacks).flatMap((stack) => (stack.startsWith('Recovery') ? ['plan witness'] : [])),
    ]
      .map((edge) => edge.split(' ').map(groupOf).join(' '))
      .filter((edge) => new Set(edge.split(' ')).size === 2),
  )
  return [
    'flowchart LR',
    ...Object.entries(GROUPS).map(([group, title]) => `  ${group}["${title[language]}"]`),
    ...[...edges].toSorted().map((edge) => {
      const [from, to = ''] = edge.split(' ')
      return `  ${from} ${to === 'keys' ? '-.->' : '-->'} ${to}`
    }),
  ].join('\n')
}

/** What stands between the marks of a page. */
export function drawnIn(page: string): string | undefined {
  return MARKS.exec(page)?.[2]
}

/** The stacks of production, as they are drawn. */
export function stacksOf(context: Record<string, unknown>): Stacks {
  const app = new App({ context: { ...context, 'aws:cdk:enable-path-metadata': true } })
  addEnvironment(app, prod)
  return Object.fromEntries(
    app.synth().stacks.map(({ stackName, template }) => [ending(stackName), template]),
  )
}

export function drawing({ language, of }: Page, stacks: Stacks): string {
  const drawn = of === 'parts' ? overview(stacks, language) : diagram(stacks, language)
  return `\`\`\`mermaid\n${drawn}\n\`\`\`\n`
}

if (import.meta.main) {
  const { context } = JSON.parse(readFileSync(join(FOLDER, 'cdk.json'), 'utf8'))
  const stacks = stacksOf(context)
  for (const page of PAGES) {
    const path = join(FOLDER, page.path)
    const drawn = drawing(page, stacks)
    const before = readFileSync(path, 'utf8')
    writeFileSync(
      path,
      before.replace(MARKS, (_, begin, _old, end) => `${begin}${drawn}${end}`),
    )
  }
}
