/** What can be restored, what waits for the object store, and when it was last tried. */

import { readBackupSettings } from '../backup-settings.ts'
import { backupState } from '../backup-state.ts'
import { drillState } from '../drills.ts'
import { isReadOnly, readInstallation } from '../store-ownership.ts'
import type { Found, Look } from './look.ts'

const MEBIBYTE = 1_048_576
const MINUTE_S = 60
const HOUR_S = 3_600
const DAY_S = 86_400
/** Minutes by which the last look of the job backup-watch at the store may be old. */
const WATCHED_EVERY_MINUTES = 20
/** Milliseconds for the object store to respond. */
const STORE_TIMEOUT_MS = 10_000
/** Any key will do: what counts is that the store responds. */
const ANY_KEY = 'checkpoints/ready'

const store: Look = {
  conditions: ['store_away'],
  elsewhere: true,
  look: async ({ store: objects }) => {
    const late = AbortSignal.timeout(STORE_TIMEOUT_MS)
    try {
      await Promise.race([
        objects.head(ANY_KEY),
        new Promise((_, reject) =>
          late.addEventListener('abort', () => reject(new Error('it did not respond in time'))),
        ),
      ])
      return []
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return [{ condition: 'store_away', detail: `${objects.location}: ${reason}` }]
    }
  },
}

const owner: Look = {
  conditions: ['store_not_owned'],
  look: async ({ worker, actor, store: objects, signal }) =>
    isReadOnly(await readInstallation(worker, actor, signal))
      ? [{ condition: 'store_not_owned', detail: `${objects.location} belongs to another installation` }]
      : [],
}

const backups: Look = {
  conditions: ['wal_kept', 'restorable_stands_still', 'backup_age'],
  look: async ({ worker, actor, settings }) => {
    const { maxAgeHours, maxLagMinutes } = await readBackupSettings(worker, actor)
    const state = await backupState(worker, actor)
    const found: Found[] = []
    const kept = state.keptWalBytes ?? 0
    if (kept > settings.walKeptMb * MEBIBYTE || /^(?:unreserved|lost)$/.test(state.slotState)) {
      found.push({
        condition: 'wal_kept',
        detail: `${Math.floor(kept / MEBIBYTE)} MB of WAL are waiting for the object store; the slot is ${state.slotState}${state.streaming ? '' : ', and no process streams it'}`,
        value: kept,
      })
    }
    if (state.lagSeconds !== null && state.lagSeconds > (maxLagMinutes + WATCHED_EVERY_MINUTES) * MINUTE_S) {
      found.push({
        condition: 'restorable_stands_still',
        detail: `the last ${Math.floor(state.lagSeconds / MINUTE_S)} minutes cannot be restored`,
        value: state.lagSeconds,
      })
    }
    if (state.ageSeconds !== null && state.ageSeconds > maxAgeHours * HOUR_S) {
      found.push({
        condition: 'backup_age',
        detail: `the newest backup is ${Math.floor(state.ageSeconds / HOUR_S)} hours old`,
        value: state.ageSeconds,
      })
    }
    return found
  },
}

const drills: Look = {
  conditions: ['drill_failed', 'drill_age', 'recovery_test_age'],
  look: async ({ worker, actor }) => {
    const drill = await drillState(worker, actor)
    const test = await drillState(worker, actor, 'recovery_test')
    const days = (seconds: number) => Math.floor(seconds / DAY_S)
    const late = (
      condition: 'drill_age' | 'recovery_test_age',
      what: string,
      { passedSeconds, missed }: typeof drill,
    ): Found[] =>
      missed
        ? [
            {
              condition,
              detail: `no ${what} has passed for ${days(passedSeconds)} days`,
              value: passedSeconds,
            },
          ]
        : []
    return [
      ...(drill.lastOk ? [] : [{ condition: 'drill_failed' as const, detail: 'the last drill failed' }]),
      ...late('drill_age', 'recovery drill', drill),
      ...late('recovery_test_age', 'recovery test', test),
    ]
  },
}

export const backupLooks: readonly Look[] = [store, owner, backups, drills]
