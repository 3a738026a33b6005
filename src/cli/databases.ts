import { AkashiError } from '../foundation/index.ts'
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

/**
 * The same with the keyring of this machine, so that the actor is recorded as verified. With a keyring that
 * is not the database's, the command still works, and the login is recorded.
 */
export async function withSignedConnections<T>(
  cli: Invocation,
  work: Parameters<typeof withConnections<T>>[1],
): Promise<T> {
  const { findConnections, openKeys } = await import('../start/index.ts')
  const config = await cli.config()
  const keyring = await openKeys(config)
  try {
    const usable = await findConnections(config, keyring).then(
      () => true,
      (error: unknown) => {
        if (error instanceof AkashiError && error.code === 'conflict') return false
        throw error
      },
    )
    if (!usable)
      cli.note(
        'the keyring of this database is not available here; the trail records the database login instead of the account',
      )
    return await withConnections(cli, work, usable ? keyring : null)
  } finally {
    await keyring.close()
  }
}
