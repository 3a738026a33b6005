import { abortError } from './abort.ts'
import type { Actor } from './actor.ts'
import type { Database, DirectSession } from './types.ts'

/**
 * Lets readers that ask one after the other share one transaction: beginning and ending one costs four statements. What
 * `work` is given runs the actor's read-only transactions there, as long as they ask for no isolation level or time
 * limit of their own, and everything else by itself. After one of them has failed, all of them fail.
 *
 * @param signal the whole is cancelled with it; those of the single readers only keep them from starting
 */
export async function readTogether<T>(
  database: Database,
  actor: Actor,
  work: (database: Database) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  return await database.transaction(
    actor,
    async (session) =>
      await work({
        ...database,
        transaction: async (by, reader, options = {}) => {
          const { readOnly, isolation, timeoutMs } = options
          const shares =
            readOnly === true && isolation === undefined && timeoutMs === undefined && by === actor
          if (!shares) return await database.transaction(by, reader, options)
          if (options.signal?.aborted === true) throw abortError(options.signal)
          return await reader(session)
        },
      }),
    { readOnly: true, signal, retries: 0 },
  )
}

/**
 * For readers of one statement each: their read-only transactions are single statements on a connection that is open
 * anyway, with its role and settings, and their connections of their own are this one.
 */
export function readOn(session: DirectSession): Pick<Database, 'direct' | 'transaction'> {
  return {
    direct: (work) => work(session),
    transaction: (actor, reader, options = {}) =>
      options.readOnly === true ? reader(session) : session.transaction(actor, reader, options),
  }
}
