import { given } from '../../foundation/index.ts'
import type { Database, DirectSession } from '../../postgres/index.ts'

/**
 * Runs one transaction as the login itself: application tables do not belong to akashi_owner, and the scratch
 * server may not even have that role.
 */
export async function asLogin<T>(
  database: Database,
  work: (session: DirectSession) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return await database.direct(
    async (session) => {
      await session.query('begin')
      try {
        const result = await work(session)
        await session.query('commit')
        return result
      } catch (error) {
        await session.query('rollback').catch(() => undefined)
        throw error
      }
    },
    given({ timeoutMs: 0, signal }),
  )
}
