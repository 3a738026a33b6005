import { AkashiError } from '../../foundation/index.ts'
import type { Database, DatabaseRole } from '../../postgres/index.ts'
import { type Connections, findConnections } from '../connections.ts'
import type { Check, CheckContext, Finding } from './check.ts'

/** A check of a running database. Other checks report whether it runs and is migrated. */
export function onDatabase(
  role: DatabaseRole,
  work: (database: Database, context: CheckContext, connections: Connections) => Promise<Finding>,
): Check['run'] {
  return async (context) => {
    try {
      const connections = await findConnections(context.config, null)
      const database = connections.open(role, { poolSize: 1 })
      try {
        return await work(database, context, connections)
      } finally {
        await database.close()
      }
    } catch (error) {
      if (!(error instanceof AkashiError)) throw error
      return { ok: true, detail: `not checked: ${error.message}` }
    }
  }
}
