import type { Log } from '../foundation/index.ts'
import type { StoreOwnership } from '../object-store/index.ts'
import { isNotOwner, isReadOnly, READ_ONLY_NOTICE, readInstallation } from '../operations/index.ts'
import type { Actor } from '../postgres/index.ts'
import { findConnections } from './connections.ts'
import type { Settings } from './settings.ts'

/** Milliseconds for the database to say it; a command that needs it will say more. */
const NOTICE_TIMEOUT_MS = 2_000

/** What to say before anything else where this installation does not own its object store; undefined where it does. */
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
    // A database that cannot be asked, or is not migrated, is told of by the command itself.
    return undefined
  }
}

/** At the start of a process: takes the store over if told to, else claims it; without it, the process only reads it. */
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
    // A store that is away now is claimed by the first write.
    log.error({ err: error }, isNotOwner(error) ? READ_ONLY_NOTICE : 'the object store could not be claimed')
  }
}
