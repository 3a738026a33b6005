/**
 * Logs of every format are taken in by a process that is killed without warning, again and again, and then
 * by one that is left alone: every event is there, once. AKASHI_LONG=1 takes a million lines of each.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { logGenerators } from '../../scripts/event-logs/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { type Format, formatOptions, ingest, type Loaded, writeLog } from './support/ingest-process.ts'

const long = process.env['AKASHI_LONG'] === '1'
const LINES = long ? 1_000_000 : 12_000
const KILLS = long ? 5 : 3
/** Milliseconds for one format. */
const TIME_LIMIT_MS = long ? 3_600_000 : 240_000
/** A process is killed after this many batches of its own, and so many milliseconds, at random. */
const BATCHES_BEFORE_KILL = long ? 20 : 2
const LAST_WAIT_MS = 300
const POLL_MS = 20
/** Above what the process needs for a log of any size; a million lines are some 100 to 400 MB. */
const MEMORY_BYTES = 600 * 1024 * 1024

const database = testDatabase()
const worker = database.open('worker')
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-kill-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function ask<R>(text: string, values: readonly unknown[] = []): Promise<R[]> {
  const { rows } = await worker.transaction(tester, (session) => session.query<R & object>(text, values), {
    timeoutMs: 0,
  })
  return rows
}

const batches = async (source: string) => {
  const [row] = await ask<{ count: number }>(
    'select count(*)::integer as count from akashi_security.ingest_batches where source = $1',
    [source],
  )
  return row?.count ?? 0
}

/** Resident memory of a process, where the system tells. */
async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
}

const formats = Object.keys(logGenerators) as Format[]

describe.each(formats)('%s', (format) => {
  it(
    `${LINES} lines, killed ${KILLS} times, are all there once`,
    async () => {
      const source = `${format}.log`
      const file = join(folder, source)
      const expected = await writeLog(file, format, LINES, 11)
      const args = [file, ...formatOptions(format)]
      let killed = 0
      for (let kill = 0; kill < KILLS; kill += 1) {
        const { child, ended } = ingest(database.url('worker'), args)
        // The first time as soon as anything is stored: a fast machine is done soon after.
        const more = kill === 0 ? 0 : Math.floor(Math.random() * BATCHES_BEFORE_KILL)
        const enough = (await batches(source)) + 1 + more
        while (child.exitCode === null && (await batches(source)) < enough) await sleep(POLL_MS)
        if (kill > 0) await sleep(Math.random() * LAST_WAIT_MS)
        child.kill('SIGKILL')
        if ((await ended).signal === 'SIGKILL') killed += 1
      }
      expect(killed).toBeGreaterThan(0)
      const begun = performance.now()
      const { status, stdout, stderr, peakBytes } = await ingest(database.url('worker'), args, residentBytes)
        .ended
      expect(stderr).toBe('')
      expect(status).toBe(0)
      const seconds = (performance.now() - begun) / 1_000
      const loaded: Loaded = JSON.parse(stdout)
      expect(loaded).toMatchObject({
        read: expected.lines,
        accepted: expected.accepted,
        rejectedTotal: expected.rejected,
      })
      expect(loaded.stored + loaded.known).toBe(expected.events)
      expect(loaded.known).toBeGreaterThan(0)
      const byType = await ask<{ type: string; count: number }>(
        `select event_type as type, count(*)::integer as count from akashi_security.security_events
         where event_details #>> '{ingest,format}' = $1 group by 1`,
        [format],
      )
      expect(Object.fromEntries(byType.map(({ type, count }) => [type, count]))).toEqual(expected.byType)
      const failures = await ask<{ address: string; count: number }>(
        `select host(source_ip) as address, count(*)::integer as count from akashi_security.security_events
         where event_type = 'authentication_failure' and source_ip is not null
           and event_details #>> '{ingest,format}' = $1 group by 1`,
        [format],
      )
      expect(Object.fromEntries(failures.map(({ address, count }) => [address, count]))).toEqual(
        expected.failuresByAddress,
      )
      expect(peakBytes).toBeLessThan(MEMORY_BYTES)
      const again: Loaded = JSON.parse((await ingest(database.url('worker'), args).ended).stdout)
      expect(again).toMatchObject({ stored: 0, known: expected.events })
      if (long) {
        process.stdout.write(
          `${format}: ${LINES} lines, killed ${killed} times; the last run read ${Math.round(LINES / seconds)} lines/s and stored ${loaded.stored} of ${expected.events} events, at most ${Math.round(peakBytes / 2 ** 20)} MiB\n`,
        )
      }
    },
    TIME_LIMIT_MS,
  )
})
