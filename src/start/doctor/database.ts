import { unsettledLosses } from '../../audit/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import { type Capabilities, migrationStatus, readCapabilities } from '../../postgres/index.ts'
import { type Connections, findConnections } from '../connections.ts'
import { migrationsDirectory } from '../migrate.ts'
import type { Settings } from '../settings.ts'
import type { Check, Finding } from './check.ts'

const OLDEST_MAJOR = 15
/** The first version with incremental base backups. */
const INCREMENTAL_MAJOR = 17

/** The configured database; an embedded server that is not running is ok. */
async function withDatabase(
  config: Settings,
  examine: (url: string, connections: Connections) => Promise<Finding>,
): Promise<Finding> {
  let connections: Connections
  try {
    connections = await findConnections(config, null)
  } catch (error) {
    if (config.databaseUrl === undefined && error instanceof AkashiError && error.code === 'unavailable') {
      return { ok: true, detail: 'not running; akashi up starts it' }
    }
    throw error
  }
  return await examine(connections.adminUrl, connections)
}

export const database: Check = {
  name: 'database',
  run: ({ config }) =>
    withDatabase(config, async (url) => {
      const found = await readCapabilities(url)
      const detail = `PostgreSQL ${found.version}, login ${found.login}, ${found.encoding}, ${found.ctype}`
      if (majorOf(found) < OLDEST_MAJOR) {
        return { ok: false, detail, hint: `use PostgreSQL ${OLDEST_MAJOR} or newer` }
      }
      if (found.encoding !== 'UTF8')
        return { ok: false, detail, hint: 'create the database with encoding UTF8' }
      if (found.ctype === 'C' || found.ctype === 'POSIX') {
        return {
          ok: false,
          detail,
          hint: 'with LC_CTYPE C only ASCII letters count as letters: use C.UTF-8 or another UTF-8 locale',
        }
      }
      return { ok: true, detail }
    }),
}

export const pooler: Check = {
  name: 'direct connection',
  run: ({ config }) =>
    withDatabase(config, async (url) => {
      const { pooled } = await readCapabilities(url)
      return pooled
        ? {
            ok: false,
            detail: 'the URL for migrations, locks and LISTEN goes through a pooler',
            hint: 'set DATABASE_DIRECT_URL to the URL of the server itself',
          }
        : { ok: true, detail: 'not through a pooler' }
    }),
}

export const migrations: Check = {
  name: 'migrations',
  run: ({ config }) =>
    withDatabase(config, async (url) => {
      const { applied, pending } = await migrationStatus({ url, directory: migrationsDirectory })
      const detail = `${applied.length} applied, ${pending.length} pending`
      return pending.length === 0
        ? { ok: true, detail }
        : { ok: false, detail, hint: 'run akashi migrate up' }
    }),
}

export const losses: Check = {
  name: 'audit losses',
  run: ({ config, actor }) =>
    withDatabase(config, async (url, connections) => {
      const { pending } = await migrationStatus({ url, directory: migrationsDirectory })
      if (pending.length > 0) return { ok: true, detail: 'not checked until the migrations are applied' }
      const administrator = connections.open('owner', { poolSize: 1 })
      try {
        const found = await unsettledLosses(administrator, actor)
        if (found.length === 0) return { ok: true, detail: 'none' }
        const tables = found.map(
          ({ table, operation, statements, lastAt, message }) =>
            `${statements} ${operation} on ${table}, last ${lastAt}: ${message}`,
        )
        return {
          ok: false,
          detail: `changes were not recorded: ${tables.join('; ')}`,
          hint: 'fix the cause, then settle them: akashi audit losses --settle EXPLANATION',
        }
      } finally {
        await administrator.close()
      }
    }),
}

/** What the server supports and what that means for Akashi; always ok. */
export const capabilities: Check = {
  name: 'capabilities',
  run: ({ config }) =>
    withDatabase(config, async (url) => {
      const found = await readCapabilities(url)
      const facts = [
        found.superuser ? 'superuser' : 'no superuser',
        found.replication ? 'replication allowed' : 'no replication: use the backups of the provider',
        `wal_level ${found.walLevel}`,
        majorOf(found) < INCREMENTAL_MAJOR
          ? 'full backups only'
          : found.walSummaries === true
            ? 'incremental backups'
            : 'no incremental backups (summarize_wal is off)',
        found.dataChecksums ? 'data checksums' : 'no data checksums',
        `extensions ${found.extensions.length === 0 ? 'none' : found.extensions.join(', ')}`,
      ]
      const detail = facts.join('; ')
      if (!found.publicTemporary) return { ok: true, detail }
      return {
        ok: true,
        detail: `${detail}; every login may create temporary tables`,
        hint: `only akashi_owner and akashi_worker need this: revoke temporary on database ${found.database} from public`,
      }
    }),
}

function majorOf({ version }: Capabilities): number {
  return Number.parseInt(version, 10)
}
