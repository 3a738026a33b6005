import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'

/** One direction of a migration, read from its file. */
export interface Script {
  readonly sql: string
  /** False after the header `-- no-transaction`: each statement then commits by itself. */
  readonly transactional: boolean
  /** `schema.table` of each header `-- disposable: …`: tables whose rows a down migration may delete. */
  readonly disposable: readonly string[]
}

export interface Migration {
  readonly version: number
  /** `000002_request_context` */
  readonly id: string
  readonly name: string
  /** SHA-256 of the up file's bytes, hex. */
  readonly checksum: string
  readonly up: Script
  readonly down: Script
}

const filePattern = /^(\d{6})_([a-z0-9_]+)\.(up|down)\.sql$/
/** Generated from the migrations, not one of them. */
const SCHEMA_DUMP = 'schema.sql'

/**
 * Reads the pairs `NNNNNN_name.up.sql` / `.down.sql` of a folder, in order of version.
 *
 * @throws AkashiError invalid_config when a file is named differently, lacks its pair or shares its version
 */
export async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory))
    .filter((name) => name.endsWith('.sql') && name !== SCHEMA_DUMP)
    .sort()
  const ids = new Set<string>()
  for (const name of names) {
    if (!filePattern.test(name)) {
      throw broken(name, 'is not named NNNNNN_name.up.sql or NNNNNN_name.down.sql')
    }
    ids.add(name.replace(/\.(up|down)\.sql$/, ''))
  }
  const migrations: Migration[] = []
  for (const id of ids) {
    const upName = `${id}.up.sql`
    const downName = `${id}.down.sql`
    for (const name of [upName, downName]) {
      if (!names.includes(name)) {
        throw broken(name, 'is missing')
      }
    }
    const bytes = await readFile(join(directory, upName))
    const version = Number(id.slice(0, 6))
    if (version === 0 || migrations.at(-1)?.version === version) {
      throw broken(
        upName,
        version === 0 ? 'has version 0, which means an empty database' : 'has the version of another file',
      )
    }
    migrations.push({
      version,
      id,
      name: id.slice(7),
      checksum: createHash('sha256').update(bytes).digest('hex'),
      up: parseScript(upName, bytes.toString('utf8')),
      down: parseScript(downName, await readFile(join(directory, downName), 'utf8')),
    })
  }
  return migrations
}

/** Headers are the comment lines before the first statement. */
function parseScript(file: string, sql: string): Script {
  const disposable: string[] = []
  let transactional = true
  for (const line of sql.split('\n')) {
    if (line.trim() !== '' && !line.startsWith('--')) {
      break
    }
    if (line.trim() === '-- no-transaction') {
      transactional = false
    }
    const tables = /^-- disposable: (.+)$/.exec(line.trimEnd())?.[1]
    if (tables !== undefined) {
      disposable.push(...tables.split(',').map((table) => table.trim()))
    }
  }
  const script = { sql, transactional, disposable }
  if (!transactional) {
    statementsOf(file, script)
  }
  return script
}

const breakpoint = /^-- statement-breakpoint[ \t]*$/m

/**
 * The statements allowed outside a transaction: those that cannot run in one, or that should not hold their
 * locks until its end. None of them deletes rows, since that could not be rolled back.
 */
const allowedAlone = [
  /^create (?:unique )?index concurrently\b/i,
  /^drop index concurrently\b/i,
  /^reindex (?:\([^)]*\) )?(?:index|table) concurrently\b/i,
  /^alter table \S+ detach partition \S+ concurrently\b/i,
  /^alter table \S+ validate constraint\b/i,
  /^alter type \S+ add value\b/i,
  /^(?:vacuum|analyze)\b/i,
]

/** The statements of a file without a transaction, separated by lines `-- statement-breakpoint`. */
export function statementsOf(file: string, script: Script): string[] {
  const statements = script.sql
    .split(breakpoint)
    .map((part) => part.replace(/^--.*$/gm, '').trim())
    .filter((statement) => statement !== '')
  for (const statement of statements) {
    const plain = statement.replace(/\s+/g, ' ').replace(/;$/, '')
    if (plain.includes(';') || !allowedAlone.some((pattern) => pattern.test(plain))) {
      throw broken(file, `has a statement that must not run outside a transaction: ${plain.slice(0, 60)}`)
    }
  }
  return statements
}

function broken(file: string, what: string): AkashiError {
  return new AkashiError('invalid_config', `migration file ${file} ${what}`, {
    hint: 'see docs/migrations.md for how the files are named and written',
  })
}
