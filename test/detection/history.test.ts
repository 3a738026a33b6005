/** Rules over events that are archived and events that are not. */
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { calendarOf, OWN_RULES, readRuleFolders, runHistory } from '../../src/detection/index.ts'
import { openQueries, type Queries, runArchive } from '../../src/lifecycle/index.ts'
import { loadEvents, parseEvents } from '../../src/security/index.ts'
import { testStore } from '../lifecycle/support/archive.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
let queries: Queries
const calendar = calendarOf('Asia/Tokyo', [])

const DAY_MS = 86_400_000
const recent = new Date(Date.now() - DAY_MS).toISOString().slice(0, 10)

async function load(lines: readonly string[]) {
  const bytes = (async function* () {
    yield Buffer.from(lines.join('\n'))
  })()
  const options = { format: 'sshd', timezone: 'UTC', year: null, asOf: new Date() } as const
  await loadEvents(worker, tester, parseEvents(bytes, options), { source: 'x', format: 'sshd' })
}

/** Six failures within a minute, twice in each address block, once on each day; five of another address. */
function attack(day: string, address: string, times: number): string[] {
  return Array.from(
    { length: times },
    (_, at) =>
      `${day}T10:00:${String(at * 5).padStart(2, '0')}Z web1 sshd[1]: Failed password for root from ${address} port ${at} ssh2`,
  )
}

beforeAll(async () => {
  await load([
    ...attack('2024-06-10', '192.0.2.1', 6),
    ...attack('2024-06-10', '192.0.2.2', 5),
    ...attack(recent, '192.0.2.3', 7),
  ])
  await ledger.seal()
  await runArchive(worker, tester, cold.store, {
    table: { schema: 'akashi_security', table: 'security_events' },
  })
  queries = openQueries({
    database: database.open('security_admin'),
    store: cold.store,
    folder: `${cold.folder}-cache`,
  })
})
afterAll(async () => {
  queries.close()
  await rm(`${cold.folder}-cache`, { recursive: true, force: true })
})

test('find the same attack in the archive as among recent events', async () => {
  const { rules } = await readRuleFolders([OWN_RULES])
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ hot: number }>(
      `select count(*)::integer as hot from akashi_security.security_events where event_type = 'authentication_failure'`,
    ),
  )
  expect(rows[0]?.hot).toBe(7)
  const found = async (from: Date | null, to: Date | null) => {
    const { findings } = await runHistory(queries, tester, rules, calendar, { from, to, reason: 'test' })
    return findings
      .filter(({ rule }) => rule.name?.startsWith('brute_force') === true)
      .map(({ rule, subject, count }) => [rule.name, Object.values(subject)[0], count])
      .sort()
  }
  expect(await found(null, null)).toEqual([
    ['brute_force_by_account', 'root', 11],
    ['brute_force_by_account', 'root', 7],
    ['brute_force_by_address', '192.0.2.1', 6],
    ['brute_force_by_address', '192.0.2.3', 7],
  ])
  expect(await found(null, new Date('2024-06-11T00:00:00Z'))).toHaveLength(2)
  expect(await found(new Date('2024-06-11T00:00:00Z'), null)).toHaveLength(2)
})
