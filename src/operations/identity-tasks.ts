import { AkashiError, type Clock, systemClock } from '../foundation/index.ts'
import {
  completeErasures,
  keyAges,
  purgeIdentity,
  reapplyErasures,
  rotateIndexes,
} from '../identity/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { Task } from './schedule/index.ts'

/** Days after the end of its time at which a key that nobody has rotated is an alarm. */
const GRACE_DAYS = 7

/** The code behind `akashi_lifecycle.jobs.task` for people and their keys. */
export function identityTasks(keyring: Keyring, clock: Clock = systemClock): Readonly<Record<string, Task>> {
  return {
    'identity.purge': ({ worker, actor, signal }) => purgeIdentity(worker, actor, { signal }),
    'keys.reconcile': async ({ worker, actor, signal }) => {
      const again = await reapplyErasures({ database: worker, keyring }, actor, { signal })
      const { completed, refused } = await completeErasures({ database: worker, keyring }, actor, { signal })
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
            hint: 'give them other addresses; the rotation ends with its next run',
          })
        }
      }
      return { rotated }
    },
    'keys.check': async ({ worker, actor }) => {
      const ages = await keyAges({ database: worker, keyring, clock, actor })
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
