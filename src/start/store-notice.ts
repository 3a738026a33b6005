import type { Log } from '../foundation/index.ts'
import type { StoreOwnership } from '../object-store/index.ts'
import { isNotOwner, isReadOnly, READ_ONLY_NOTICE, readInstallation } from '../operations/index.ts'
import type { Actor } from '../postgres/index.ts'
import { findConnections } from './connections.ts'
import type { Settings } from './settings.ts'

/** Milliseconds for the database to respond; a command that needs it reports more. */
const NOTICE_TIMEOUT_MS = 2_000

/** The notice printed first if this installation does not own its object store; undefined if it does. */
export async function readOnlyNotice(asked: {
  config(): Promise<Settings>
  actor(): Promise<Actor>
}): Promise<string | undefined> {
  const limit = AbortSignal.timeout(NOTICE_TIMEOUT_MS)
  try {
    const connections = await findConnections(await asked.config(), null)
    const worker = connections.open('worker', { poolSize: 1 })
    try {
      const own = await readInstallation(worker, await asked.actor(), limit)
      return isReadOnly(own) ? READ_ONLY_NOTICE : undefined
    } finally {
      await worker.close()
    }
  } catch {
    // The command itself reports a database that is unreachable or not migrated.
    return undefined
  }
}

/**
 * At the start of a process: takes the store over if requested, else claims it if it has no owner. If another
 * installation owns it, the process only reads it.
 */
export async function settleOwnership(
  ownership: StoreOwnership,
  { takeOver, log, signal }: { readonly takeOver?: Actor; readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  if (takeOver !== undefined) {
    const { token } = await ownership.takeOver(signal)
    log.warn({ token }, 'took over the object store')
    return
  }
  try {
    await ownership.claim(signal)
  } catch (error) {
    // A store that is unavailable now is claimed by the first write.
    log.error({ err: error }, isNotOwner(error) ? READ_ONLY_NOTICE : 'the object store could not be claimed')
  }
}
