import { backupState, diskOf, drillState, readBackupSettings, usedPercent } from '../../operations/index.ts'
import type { Check, Finding } from './check.ts'
import { onDatabase } from './on-database.ts'

const MINUTE_S = 60
const HOUR_S = 3600
const DAY_S = 86_400
const GIBIBYTE = 1024 ** 3

/** How recent the latest restorable moment is, and when a restore was last tested. */
export const recovery: Check = {
  name: 'recovery',
  run: onDatabase('worker', async (worker, { actor }): Promise<Finding> => {
    const { maxAgeHours, maxLagMinutes } = await readBackupSettings(worker, actor)
    const { ageSeconds, lagSeconds } = await backupState(worker, actor)
    const drills = await drillState(worker, actor)
    const detail = [
      ageSeconds === null ? 'no backup is known' : `newest backup ${inHours(ageSeconds)} ago`,
      ...(lagSeconds === null ? [] : [`latest restorable moment ${inMinutes(lagSeconds)} ago`]),
      drills.everPassed
        ? `last drill that passed ${Math.floor(drills.passedSeconds / DAY_S)} days ago`
        : 'no drill has passed yet',
    ].join('; ')
    if (ageSeconds !== null && ageSeconds > maxAgeHours * HOUR_S) {
      return { ok: false, detail, hint: 'find out why backups fail: akashi jobs history backup-full' }
    }
    if (lagSeconds !== null && lagSeconds > (maxLagMinutes + WATCHED_EVERY_MINUTES) * MINUTE_S) {
      return {
        ok: false,
        detail,
        hint: 'find out why WAL does not reach the store: akashi jobs history backup-watch, docs/runbooks/wal.md',
      }
    }
    if (!drills.lastOk || drills.missed) {
      return {
        ok: false,
        detail: drills.lastOk ? detail : `${detail}; the last drill failed`,
        hint: 'run akashi drill, and find out why the scheduled one did not pass: akashi jobs history backup-drill',
      }
    }
    return { ok: true, detail }
  }),
}

/** The state is as old as the last run of the job `backup-watch`, which may have been interrupted. */
const WATCHED_EVERY_MINUTES = 20

export const disk: Check = {
  name: 'disk',
  run: onDatabase('worker', async (worker, { actor, config }): Promise<Finding> => {
    const found = config.databaseUrl === undefined ? await diskOf(config.data) : null
    if (found === null) return { ok: true, detail: 'the server runs elsewhere' }
    const { maxDiskPercent } = await readBackupSettings(worker, actor)
    const used = usedPercent(found)
    const detail = `${Math.floor(used)} % used, ${(found.freeBytes / GIBIBYTE).toFixed(1)} GiB free`
    if (used <= maxDiskPercent) return { ok: true, detail }
    return {
      ok: false,
      detail,
      hint: `free space before PostgreSQL stops: below 1 GiB of free space, WAL that waits for the object store is given up; the limit is disk.max_used_percent (${maxDiskPercent})`,
    }
  }),
}

function inHours(seconds: number): string {
  return `${(seconds / HOUR_S).toFixed(1)} h`
}

function inMinutes(seconds: number): string {
  return `${(seconds / MINUTE_S).toFixed(1)} min`
}
