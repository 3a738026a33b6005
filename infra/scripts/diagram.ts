/** Draws the stacks of production from their templates, as Mermaid text, into both READMEs. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib/core'
import { addEnvironment } from '../lib/environment.ts'
import { prod } from '../parameter.ts'

const FOLDER = join(import.meta.dirname, '..')
const MARKS = /(<!-- diagram:begin[^\n]*-->\n)([\s\S]*?)(<!-- diagram:end -->)/

export type Language = 'en' | 'ja'
export const READMES: Readonly<Record<Language, string>> = { en: 'README.md', ja: 'README.ja.md' }

interface Resource {
  readonly Type: string
  readonly Properties?: unknown
  readonly Metadata?: Readonly<Record<string, string>>
}

type Template = Readonly<{ Resources: Readonly<Record<string, Resource>> }>

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
  node('logs', 'database', /./, /LogGroup$/, 'Logs', 'ログ'),
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
  node('access', 'backup', /^AccessLogs/, /Bucket$/, 'Access logs', 'アクセスログ'),
  ...['Database', 'Secrets', 'Backup', 'Logs', 'Archive', 'PersonKeyring'].map((key) =>
    node(`key${key}`, 'keys', new RegExp(`^Keys/${key}$`), /Key$/, `Key: ${key}`, `鍵：${key}`),
  ),
]

function node(id: string, group: string, path: RegExp, type: RegExp, en: string, ja: string): Node {
  return { id, group, path, type, label: { en, ja } }
}

function nodeOf({ Type, Metadata }: Resource): string | undefined {
  const path = (Metadata?.['aws:cdk:path'] ?? '').replace(/^[^/]*\//, '').replace(/\/Resource$/, '')
  return NODES.find((one) => one.path.test(path) && one.type.test(Type))?.id
}

/** Logical ids that a value refers to. */
function* references(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  const { Ref, 'Fn::GetAtt': attribute } = value as { Ref?: string; 'Fn::GetAtt'?: [string] }
  if (Ref !== undefined) yield Ref
  if (attribute !== undefined) yield attribute[0]
  for (const part of Object.values(value)) yield* references(part)
}

/** Who refers to whom, as `from to` of nodes. */
function edgesOf({ Resources }: Template): Set<string> {
  const edges = new Set<string>()
  for (const resource of Object.values(Resources)) {
    const from = nodeOf(resource)
    for (const id of references(resource.Properties)) {
      const target = Resources[id]
      const to = target === undefined ? undefined : nodeOf(target)
      if (from !== undefined && to !== undefined && from !== to) edges.add(`${from} ${to}`)
    }
  }
  return edges
}

/** The drawing of a data stack and of the recovery stacks that its copies go to. */
export function diagram(data: Template, recovery: readonly string[], language: Language): string {
  const used = new Set(Object.values(data.Resources).map(nodeOf))
  const lines = ['flowchart LR']
  for (const [group, title] of Object.entries(GROUPS)) {
    lines.push(`  subgraph ${group}["${title[language]}"]`)
    for (const { id, label } of NODES.filter((one) => one.group === group && used.has(one.id))) {
      lines.push(`    ${id}["${label[language]}"]`)
    }
    if (group === 'elsewhere') lines.push(...recovery.map((name) => `    ${name}["${name}"]`))
    lines.push('  end')
  }
  for (const edge of [...edgesOf(data)].toSorted()) {
    const [from, to = ''] = edge.split(' ')
    lines.push(`  ${from} ${to.startsWith('key') ? '-.->' : '-->'} ${to}`)
  }
  lines.push(...recovery.map((name) => `  plan --> ${name}`))
  return lines.join('\n')
}

/** What stands between the marks of a README. */
export function drawnIn(readme: string): string | undefined {
  return MARKS.exec(readme)?.[2]
}

export function drawing(language: Language, context: Record<string, unknown>): string {
  const app = new App({ context: { ...context, 'aws:cdk:enable-path-metadata': true } })
  addEnvironment(app, prod)
  const { stacks } = app.synth()
  const data = stacks.find(({ stackName }) => stackName.endsWith('-Data'))
  const recovery = stacks
    .map(({ stackName }) => stackName.split('-').at(-1) ?? '')
    .filter((name) => name !== 'Data')
  return `\`\`\`mermaid\n${diagram(data?.template, recovery.toSorted(), language)}\n\`\`\`\n`
}

if (import.meta.main) {
  const { context } = JSON.parse(readFileSync(join(FOLDER, 'cdk.json'), 'utf8'))
  for (const [language, name] of Object.entries(READMES)) {
    const path = join(FOLDER, name)
    const drawn = drawing(language as Language, context)
    const before = readFileSync(path, 'utf8')
    writeFileSync(
      path,
      before.replace(MARKS, (_, begin, _old, end) => `${begin}${drawn}${end}`),
    )
  }
}
