import { AkashiError, type Clock, systemClock } from '../foundation/index.ts'
import {
  completeErasures,
  keyAges,
  openAccessReview,
  purgeIdentity,
  reapplyErasures,
  rotateIndexes,
} from '../identity/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { Task } from './schedule/index.ts'

/** Days after which a key that is due for rotation and was not rotated raises an alarm. */
const GRACE_DAYS = 7

/** The tasks of `akashi_lifecycle.jobs` for people and their keys. */
export function identityTasks(keyring: Keyring, clock: Clock = systemClock): Readonly<Record<string, Task>> {
  return {
    'identity.purge': ({ worker, actor, signal }) => purgeIdentity(worker, actor, { signal }),
    'identity.open_access_review': async ({ worker, actor }) => {
      const review = await openAccessReview(worker, actor)
      return review === null ? { skipped: 'a review is already open' } : { review }
    },
    'keys.reconcile': async ({ worker, actor, signal }) => {
      const again = await reapplyErasures({ database: worker, keyring }, actor, { signal })
      const { completed, refused } = await completeErasures({ database: worker, keyring }, actor, { signal })
      const left = [...again.refused, ...refused]
      if (left.length > 0) {
        const reasons = left.map(({ userId, reason }) => `${userId}: ${reason}`)
        throw new AkashiError('conflict', `people could not be erased: ${reasons.join('; ')}`, {
          hint: 'fix the cause, then run akashi keys reconcile',
        })
      }
      return {
        destroyedAgain: again.destroyedAgain.length,
        erasedAgain: again.erasedAgain.length,
        completed: completed.length,
      }
    },
    'keys.rotate': async ({ worker, actor, signal }) => {
      const rotated: string[] = []
      for (const { purpose, ageDays, limitDays, unfinished } of await keyAges({
        database: worker,
        keyring,
        clock,
        actor,
      })) {
        if (!unfinished && (limitDays === 0 || ageDays < limitDays)) continue
        if (purpose === 'wrapping') {
          rotated.push((await keyring.rotateWrapping({ signal })).keyId)
          continue
        }
        const { keyId, conflicts } = await rotateIndexes({ database: worker, keyring }, actor, { signal })
        rotated.push(keyId)
        if (conflicts.length > 0) {
          throw new AkashiError('conflict', `users share an e-mail address: ${conflicts.join(', ')}`, {
            hint: 'change one of the addresses; the next run then completes the rotation',
          })
        }
      }
      return { rotated }
    },
    'keys.check': async ({ worker, actor }) => {
      const ages = await keyAges({ database: worker, keyring, clock, actor })
      const old = ages.filter(({ ageDays, limitDays }) => limitDays > 0 && ageDays > limitDays + GRACE_DAYS)
      if (old.length > 0) {
        const reasons = old.map(
          ({ keyId, ageDays, limitDays }) =>
            `${keyId} is ${Math.floor(ageDays)} days old, the limit is ${limitDays}`,
        )
        throw new AkashiError('conflict', `keys were not rotated: ${reasons.join('; ')}`, {
          hint: 'akashi jobs history rotate-keys shows why the job failed',
        })
      }
      return { days: Object.fromEntries(ages.map(({ purpose, ageDays }) => [purpose, Math.floor(ageDays)])) }
    },
  }
}
