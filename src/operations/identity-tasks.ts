import { AkashiError } from '../foundation/index.ts'
import { completeErasures, purgeIdentity, reapplyErasures } from '../identity/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { Task } from './schedule/index.ts'

/** The code behind `lifecycle.jobs.task` for people and their keys. */
export function identityTasks(keyring: Keyring): Readonly<Record<string, Task>> {
  return {
    'identity.purge': ({ database, signal }) => purgeIdentity(database, { signal }),
    'keys.reconcile': async ({ database, signal }) => {
      const parts = { database, keyring }
      const again = await reapplyErasures(parts, { signal })
      const { completed, refused } = await completeErasures(parts, { signal })
      const left = [...again.refused, ...refused]
      if (left.length > 0) {
        const reasons = left.map(({ userId, reason }) => `${userId}: ${reason}`)
        throw new AkashiError('conflict', `persons are not erased: ${reasons.join('; ')}`, {
          hint: 'mend the cause, then: akashi keys reconcile',
        })
      }
      return {
        destroyedAgain: again.destroyedAgain.length,
        erasedAgain: again.erasedAgain.length,
        completed: completed.length,
      }
    },
  }
}
