import type { Keyring } from '../keys/index.ts'
import type { Actor, Database, DatabaseRole } from '../postgres/index.ts'
import type { Connections } from '../start/index.ts'
import type { Invocation } from './invocation.ts'

/**
 * Opens the configured database for one command, and closes every pool when its work is done.
 *
 * @param keyring signs the request context; without it, the audit trail records the actor as claimed
 */
export async function withConnections<T>(
  cli: Invocation,
  work: (
    connections: Connections & { pool(role: DatabaseRole): Database; readonly actor: Actor },
  ) => Promise<T>,
  keyring: Keyring | null = null,
): Promise<T> {
  const { findConnections } = await import('../start/index.ts')
  const config = await cli.config()
  const connections = await findConnections(config, keyring)
  const opened: Database[] = []
  const pool = (role: DatabaseRole) => {
    const database = connections.open(role, { poolSize: 2 })
    opened.push(database)
    return database
  }
  try {
    return await work({ ...connections, pool, actor: await cli.actor() })
  } finally {
    await Promise.all(opened.map((database) => database.close()))
  }
}
