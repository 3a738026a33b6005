/**
 * Refuses SQL that names a table of another context: it goes through a function or view which that context offers.
 * Reads the SQL in src/ and the functions, views, policies and DO blocks of the migrations; foreign keys, triggers
 * and rows that a context registers with another (a job, a retention policy) stay free, and names that are put
 * together at run time cannot be seen. Prints one line per problem and exits 1 when there is one.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Schema → the folder of src/ that owns its tables. */
const schemas: Readonly<Record<string, string>> = {
  akashi_auth: 'identity',
  akashi_keys: 'identity',
  akashi_audit: 'audit',
  akashi_security: 'security',
  akashi_lifecycle: 'lifecycle',
  akashi_archive: 'lifecycle',
  akashi_jobs: 'operations',
  akashi_chat: 'chat',
}

/** Tables that belong to another context than their schema. */
const tables: Readonly<Record<string, string>> = {
  'akashi_keys.digest_salts': 'audit',
  'akashi_lifecycle.schema_migrations': 'postgres',
  'akashi_security.detection_rulesets': 'detection',
  'akashi_security.detection_runs': 'detection',
  'akashi_security.detection_findings': 'detection',
  'akashi_security.delivery_channels': 'delivery',
  'akashi_security.delivery_progress': 'delivery',
  'akashi_security.delivery_dead_letters': 'delivery',
  'akashi_security.compliance_reports': 'report',
  'akashi_security.evidence_links': 'evidence',
  'akashi_security.evidence_sessions': 'evidence',
  'akashi_lifecycle.jobs': 'operations',
  'akashi_lifecycle.job_runs': 'operations',
  'akashi_lifecycle.alarm_counters': 'operations',
  'akashi_lifecycle.alarm_silences': 'operations',
  'akashi_lifecycle.alarms': 'operations',
  'akashi_lifecycle.drills': 'operations',
  'akashi_lifecycle.restore_points': 'operations',
  'akashi_lifecycle.restores': 'operations',
  'akashi_lifecycle.store_ownership': 'operations',
}

/** Migration, without its ending → the context that its functions and views belong to. */
const migrations: Readonly<Record<string, string>> = {
  '000001_roles_and_schemas': 'postgres',
  '000002_request_context': 'identity',
  '000003_lifecycle': 'lifecycle',
  '000004_audit_trail': 'audit',
  '000005_jobs': 'operations',
  '000006_ledger': 'audit',
  '000007_identity': 'identity',
  '000008_seed_roles': 'identity',
  '000009_access_rules': 'identity',
  '000010_security_events': 'security',
  '000011_sign_in': 'identity',
  '000012_keys': 'identity',
  '000013_archive': 'lifecycle',
  '000014_backup': 'operations',
  '000015_chat_rooms': 'chat',
  '000016_chat_messages': 'chat',
  '000017_chat_presence': 'chat',
  '000018_chat_search': 'chat',
  '000019_approvals': 'identity',
  '000020_cross_check': 'audit',
  '000021_detection': 'detection',
  '000022_delivery': 'delivery',
  '000023_alarms': 'operations',
  '000024_compliance_reports': 'report',
  '000025_access_review': 'identity',
  '000026_evidence_links': 'evidence',
  '000027_chat_kept': 'chat',
  '000028_maintenance': 'operations',
  '000029_noise_budgets': 'detection',
}

/** They hold no SQL, by a rule of check-text.ts; their hints may name any table. */
const WITHOUT_SQL: readonly string[] = ['http', 'cli']

/** Also where a part is quoted or spaced. */
const QUALIFIED = /\b(akashi_\w+)"?\s*\.\s*"?(\w+)/g
const COMMENT_LINE = /^\s*(\/\/|\/?\*)/
const CHECKED_STATEMENT = /^\s*(create\s+(or\s+replace\s+)?(function|procedure|view|policy)|do)\b/i
const SQL_TOKEN = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|(\$\w*\$)[\s\S]*?\1|;|[^;'$/-]+|[\s\S]/g

/** Names of the tables in migrations/schema.sql. */
export function tablesOf(schema: string): ReadonlySet<string> {
  return new Set([...schema.matchAll(/^create table (\w+\.\w+)/gm)].map(([, name = '']) => name))
}

/** Every table of another context that a file of src/ or migrations/ names, as `path:line: message`. */
export function foreignTables(path: string, text: string, known: ReadonlySet<string>): string[] {
  const context = contextOf(path)
  if (context === null) return []
  if (context === undefined)
    return [`${path}:1: no context owns this migration in scripts/check-schema-owners.ts`]
  const lines = path.endsWith('.sql') ? statements(text) : text.split('\n')
  return lines.flatMap((line, index) =>
    COMMENT_LINE.test(line)
      ? []
      : [...line.matchAll(QUALIFIED)].flatMap(([, schema = '', table = '']) => {
          const name = `${schema}.${table}`
          const owner = tables[name] ?? schemas[schema]
          if (!known.has(name) || owner === context) return []
          return owner === undefined
            ? [`${path}:${index + 1}: no context owns schema ${schema} in scripts/check-schema-owners.ts`]
            : [
                `${path}:${index + 1}: ${context} names ${name}, a table of ${owner}: use a function or view that ${owner} offers`,
              ]
        }),
  )
}

/** null for a file that the rule does not read, undefined for a migration that is not in the table. */
function contextOf(path: string): string | null | undefined {
  const [, folder] = /^src\/([^/]+)\/.+[.]ts$/.exec(path) ?? []
  if (folder !== undefined) return WITHOUT_SQL.includes(folder) ? null : folder
  const [, migration] = /^migrations\/(\d{6}_\w+)[.]up[.]sql$/.exec(path) ?? []
  return migration === undefined ? null : migrations[migration]
}

/** The lines of a migration, without comments and statements that are not checked. */
function statements(text: string): string[] {
  const withoutComments = (sql: string) => sql.replaceAll(/--[^\n]*/g, '')
  const blank = (sql: string) => sql.replaceAll(/[^\n]/g, '')
  let result = ''
  let statement = ''
  for (const [token] of text.matchAll(SQL_TOKEN)) {
    statement += token.startsWith('--') ? '' : token.startsWith('/*') ? blank(token) : token
    if (token !== ';') continue
    result += CHECKED_STATEMENT.test(statement) ? withoutComments(statement) : blank(statement)
    statement = ''
  }
  return result.split('\n')
}

function filesOf(root: string): string[] {
  return ['src', 'migrations'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`),
  )
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..')
  const known = tablesOf(readFileSync(join(root, 'migrations/schema.sql'), 'utf8'))
  const problems = filesOf(root)
    .filter((path) => /[.](ts|sql)$/.test(path))
    .flatMap((path) => foreignTables(path, readFileSync(join(root, path), 'utf8'), known))
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length === 0 ? 0 : 1
}
