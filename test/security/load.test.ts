import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { logGenerators, SSHD_LOG_TIMEZONE, SSHD_LOG_YEAR } from '../../scripts/event-logs/index.ts'
import { LOAD_BATCH_EVENTS, loadEvents, type ParseOptions, parseEvents } from '../../src/security/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const sample = fileURLToPath(new URL('../data/sshd.log', import.meta.url))
const options: ParseOptions = {
  format: 'sshd',
  year: 2016,
  timezone: 'Asia/Shanghai',
  asOf: new Date('2026-01-01T00:00:00Z'),
}

function load(path: string) {
  return loadEvents(worker, tester, parseEvents(createReadStream(path), options), {
    source: path,
    format: 'sshd',
  })
}

async function countBy(column: string, type: string): Promise<Record<string, number>> {
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<{ key: string; count: number }>(
      `select host(${column}) as key, count(*)::integer as count from akashi_security.security_events where event_type = $1 group by 1`,
      [type],
    ),
  )
  return Object.fromEntries(rows.map(({ key, count }) => [key, count]))
}

async function countEvents(): Promise<number> {
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<{ count: number }>(
      'select count(*)::integer as count from akashi_security.security_events',
    ),
  )
  return rows[0]?.count ?? Number.NaN
}

describe('taking in a log of sshd', () => {
  it('accepts every line that is an event, says why the others are not, and counts like the raw file', async () => {
    const result = await load(sample)
    const raw = await readFile(sample, 'utf8')
    expect(result.read).toBe(raw.trimEnd().split('\n').length)
    expect(result.accepted + result.rejectedTotal).toBe(result.read)
    expect(result.accepted).toBeGreaterThan(0)
    for (const { reason } of result.rejected) expect(reason).not.toBe('')
    const expected: Record<string, number> = {}
    for (const line of raw.split('\n')) {
      const times = Number(/message repeated (\d+) times/.exec(line)?.[1] ?? 1)
      const address = /Failed password for .* from (\S+) port/.exec(line)?.[1]
      if (address !== undefined) expected[address] = (expected[address] ?? 0) + times
    }
    expect(await countBy('source_ip', 'authentication_failure')).toEqual(expected)
  })

  it('adds nothing the second time', async () => {
    const again = await load(sample)
    expect(again.stored).toBe(0)
    expect(again.known).toBeGreaterThan(0)
  })

  it('counts what is new and what is known, of batches that are stored side by side', async () => {
    const lines = [...logGenerators.sshd(LOAD_BATCH_EVENTS * 4, 7)].map((line) => Buffer.from(`${line}\n`))
    const take = (portion: readonly Buffer[]) =>
      loadEvents(
        worker,
        tester,
        parseEvents(Readable.from(portion), {
          format: 'sshd',
          year: SSHD_LOG_YEAR,
          timezone: SSHD_LOG_TIMEZONE,
          asOf: options.asOf,
          source: 'generated',
        }),
        { source: 'generated', format: 'sshd' },
      )
    const before = await countEvents()
    const first = await take(lines)
    expect(first.stored).toBeGreaterThan(LOAD_BATCH_EVENTS * 3)
    expect(await countEvents()).toBe(before + first.stored)
    expect(first.known).toBe(0)
    expect(await take(lines)).toMatchObject({ stored: 0, known: first.stored })
    // Other batches, so that each event is compared with what is there.
    const half = await take(lines.slice(0, LOAD_BATCH_EVENTS * 2 - 500))
    expect(half.stored).toBe(0)
    expect(half.known).toBeGreaterThan(LOAD_BATCH_EVENTS)
  })

  it('is sealed like anything else', async () => {
    await ledger.seal()
    const report = await ledger.verify()
    expect(report.ok).toBe(true)
    expect(Number(report.logs.find((log) => log.log === 'security_events')?.size)).toBeGreaterThan(0)
  })
})
