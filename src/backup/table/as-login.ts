import type { Database, Session } from '../../postgres/index.ts'

/**
 * One transaction under the login itself: the tables of an application do not belong to akashi_owner, and the
 * scratch server may not even have that role.
 */
export async function asLogin<T>(
  database: Database,
  work: (session: Session) => Promise<T>,
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
    { timeoutMs: 0, ...(signal === undefined ? {} : { signal }) },
  )
}
