/** The server, its disk, its clock and its certificates. */
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readBackupSettings } from '../backup-settings.ts'
import { diskOf, usedPercent } from '../disk.ts'
import type { Found, Look, Watch } from './look.ts'

const MEBIBYTE = 1_048_576
const MILLION = 1_000_000
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const PERCENT = 100

interface Reading {
  readonly now: number
  readonly connections: number
  readonly maxConnections: number
  readonly deadlocks: number
  readonly transactionAge: number
  readonly statements: readonly {
    readonly pid: number
    readonly login: string
    readonly application: string
    readonly seconds: number
  }[]
  readonly standbys: readonly { readonly name: string; readonly pid: number; readonly bytes: number }[]
}

/** What the server says, with the seconds by which its clock is ahead of this process's, and the last deadlock. */
async function readServer({ worker, actor, settings, signal }: Watch) {
  const asked = Date.now()
  return await worker.transaction(
    actor,
    async (session) => {
      const { rows } = await session.query<{ reading: Reading }>(
        'select akashi_lifecycle.server_reading($1) as reading',
        [settings.statementSeconds],
      )
      const answered = Date.now()
      const reading = rows[0]?.reading
      if (reading === undefined) throw new Error('a select without a table returns one row')
      const deadlock = await session.query<{ at: string | null }>(
        `select akashi_lifecycle.counter_risen('deadlocks', $1) as at`,
        [reading.deadlocks],
      )
      // The response was computed between the two.
      const ahead = reading.now - (asked + answered) / 2_000
      const uncertain = (answered - asked) / 2_000
      return {
        reading,
        skewSeconds: Math.max(0, Math.abs(ahead) - uncertain),
        deadlockAt: deadlock.rows[0]?.at ?? null,
      }
    },
    { signal },
  )
}

const server: Look = {
  conditions: [
    'connections',
    'slow_statement',
    'deadlock',
    'replication_lag',
    'transaction_age',
    'clock_skew',
  ],
  look: async (watch) => {
    const { settings } = watch
    const { reading, skewSeconds, deadlockAt } = await readServer(watch)
    const found: Found[] = []
    const used = (PERCENT * reading.connections) / reading.maxConnections
    if (used > settings.connectionsPercent) {
      found.push({
        condition: 'connections',
        detail: `${reading.connections} of ${reading.maxConnections} connections are in use (${Math.floor(used)} %)`,
        value: used,
      })
    }
    for (const { pid, login, application, seconds } of reading.statements) {
      found.push({
        condition: 'slow_statement',
        subject: `process ${pid}`,
        detail: `process ${pid} of ${login}${application === '' ? '' : `, application ${application},`} has been running one statement for ${Math.floor(seconds)} s`,
        value: seconds,
      })
    }
    if (deadlockAt !== null) {
      const ago = (reading.now * 1_000 - Date.parse(deadlockAt)) / MINUTE_MS
      if (ago <= settings.deadlockMinutes) {
        found.push({
          condition: 'deadlock',
          detail: `the server resolved a deadlock, most recently before ${deadlockAt}; ${reading.deadlocks} since its statistics were reset`,
          value: reading.deadlocks,
        })
      }
    }
    for (const { name, pid, bytes } of reading.standbys) {
      if (bytes <= settings.replicationLagMb * MEBIBYTE) continue
      found.push({
        condition: 'replication_lag',
        subject: name === '' ? `process ${pid}` : name,
        detail: `the standby ${name} (process ${pid}) is ${Math.floor(bytes / MEBIBYTE)} MB of WAL behind`,
        value: bytes,
      })
    }
    if (reading.transactionAge > settings.transactionAgeMillions * MILLION) {
      found.push({
        condition: 'transaction_age',
        detail: `the oldest transaction id is ${Math.floor(reading.transactionAge / MILLION)} million transactions old`,
        value: reading.transactionAge,
      })
    }
    if (skewSeconds > settings.clockSkewSeconds) {
      found.push({
        condition: 'clock_skew',
        detail: `the clocks of the database and of this worker differ by ${skewSeconds.toFixed(1)} s`,
        value: skewSeconds,
      })
    }
    return found
  },
}

const disk: Look = {
  conditions: ['disk'],
  look: async ({ worker, actor, data }) => {
    const found = await diskOf(data)
    if (found === null) return []
    const { maxDiskPercent } = await readBackupSettings(worker, actor)
    const used = usedPercent(found)
    if (used <= maxDiskPercent) return []
    const detail = `${Math.floor(used)} % of the disk of the database are used, ${Math.floor(found.freeBytes / MEBIBYTE)} MB are free`
    return [{ condition: 'disk', detail, value: used }]
  },
}

const writable: Look = {
  conditions: ['data_not_writable'],
  elsewhere: true,
  look: async ({ folder }) => {
    const file = join(folder, `.writable-${randomBytes(6).toString('hex')}`)
    try {
      await writeFile(file, 'akashi\n', { flag: 'wx', flush: true })
      return []
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
      return [{ condition: 'data_not_writable', detail: `${folder} cannot be written (${code})` }]
    } finally {
      await rm(file, { force: true }).catch(() => undefined)
    }
  },
}

const certificates: Look = {
  conditions: ['certificate_expiry'],
  elsewhere: true,
  look: async ({ certificates: read, settings, now }) =>
    (await read()).flatMap(({ of, name, validTo }): Found[] => {
      const days = (validTo.getTime() - now.getTime()) / DAY_MS
      if (days > settings.certificateDays) return []
      const when = days < 0 ? 'expired' : 'expires'
      return [
        {
          condition: 'certificate_expiry',
          subject: of,
          detail: `the certificate ${name} of ${of} ${when} on ${validTo.toISOString().slice(0, 10)}`,
          value: days,
        },
      ]
    }),
}

export const serverLooks: readonly Look[] = [server, disk, writable, certificates]
