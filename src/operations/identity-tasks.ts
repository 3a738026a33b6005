import { AkashiError, type Clock, systemClock } from '../foundation/index.ts'
import {
  completeErasures,
  keyAges,
  purgeIdentity,
  reapplyErasures,
  rotateIndexes,
} from '../identity/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { Database } from '../postgres/index.ts'
import type { Task } from './schedule/index.ts'

/** Days after the end of its time at which a key that nobody has rotated is an alarm. */
const GRACE_DAYS = 7

/** The code behind `lifecycle.jobs.task` for people and their keys. */
export function identityTasks(keyring: Keyring, clock: Clock = systemClock): Readonly<Record<string, Task>> {
  const parts = (database: Database) => ({ database, keyring, clock })
  return {
    'identity.purge': ({ database, signal }) => purgeIdentity(database, { signal }),
    'keys.reconcile': async ({ database, signal }) => {
      const again = await reapplyErasures({ database, keyring }, { signal })
      const { completed, refused } = await completeErasures({ database, keyring }, { signal })
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
    'keys.rotate': async ({ database, signal }) => {
      const rotated: string[] = []
      for (const { purpose, ageDays, limitDays, unfinished } of await keyAges(parts(database))) {
        if (!unfinished && (limitDays === 0 || ageDays < limitDays)) continue
        if (purpose === 'wrapping') {
          rotated.push((await keyring.rotateWrapping({ signal })).keyId)
          continue
        }
        const { keyId, conflicts } = await rotateIndexes({ database, keyring }, { signal })
        rotated.push(keyId)
        if (conflicts.length > 0) {
          throw new AkashiError('conflict', `users share an e-mail address: ${conflicts.join(', ')}`, {
            hint: 'give them other addresses; the rotation ends with its next run',
          })
        }
      }
      return { rotated }
    },
    'keys.check': async ({ database }) => {
      const ages = await keyAges(parts(database))
      const old = ages.filter(({ ageDays, limitDays }) => limitDays > 0 && ageDays > limitDays + GRACE_DAYS)
      if (old.length > 0) {
        const said = old.map(
          ({ keyId, ageDays, limitDays }) =>
            `${keyId} is ${Math.floor(ageDays)} days old, ${limitDays} are allowed`,
        )
        throw new AkashiError('conflict', `keys were not rotated: ${said.join('; ')}`, {
          hint: 'see why the job rotate-keys does not: akashi jobs history rotate-keys',
        })
      }
      return { days: Object.fromEntries(ages.map(({ purpose, ageDays }) => [purpose, Math.floor(ageDays)])) }
    },
  }
}
