import { given, type Log } from '../foundation/index.ts'
import { reapplyErasures } from '../identity/index.ts'
import type { Keyring } from '../keys/index.ts'
import { type Database, system } from '../postgres/index.ts'

/** Before serving: repeats erasures that an older copy of the database or the keyring undid. */
export async function reapplyAtStart(parts: {
  /** Of the role `worker`. */
  readonly worker: Database
  readonly keyring: Keyring
  readonly log: Log
  readonly signal?: AbortSignal
}): Promise<void> {
  const { worker, keyring, log, signal } = parts
  const { destroyedAgain, erasedAgain, refused } = await reapplyErasures(
    { database: worker, keyring },
    system('start'),
    given({ signal }),
  )
  if (destroyedAgain.length + erasedAgain.length > 0) {
    log.warn(
      { destroyedAgain, erasedAgain },
      'people who were erased earlier were restored from a copy and are erased again',
    )
  }
  // Their keys are destroyed anyway, so encrypted data cannot be read.
  for (const { userId, reason } of refused) log.error({ userId, reason }, 'an erasure was refused')
}
