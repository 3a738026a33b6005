/** The same question has the same answer wherever the rows are: all in PostgreSQL, moving, or in Parquet. */
import { rm } from 'node:fs/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openQueries, type Queries, runArchive } from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { insertEvents, testStore } from './support/archive.ts'

const QUESTIONS = process.env['AKASHI_LONG'] === undefined ? 36 : 400
const SEED = 20_261_121
const DAYS = ['2023-12-31', '2024-01-01', '2024-02-29', '2024-03-01', '2024-06-10', '2025-01-02']
const TIMEOUT_MS = 900_000

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const events = { schema: 'akashi_security', table: 'security_events' } as const
let queries: Queries

beforeAll(async () => {
  queries = openQueries({
    database: database.open('security_admin'),
    store: cold.store,
    folder: `${cold.folder}-cache`,
  })
  for (const [i, day] of DAYS.entries()) await insertEvents(worker, day, 150 + i * 37, `day ${i}`)
  await insertEvents(worker, new Date().toISOString().slice(0, 10), 60, 'now')
  await ledger.seal()
})
afterAll(async () => {
  queries.close()
  await rm(`${cold.folder}-cache`, { recursive: true, force: true })
})

const day = fc.constantFrom(...DAYS, '2022-01-01', '2024-01-02', '2027-01-01')
const clock = fc.constantFrom('', ' 00:00:30', ' 00:02:00.5', ' 12:00:00')
const at = fc.tuple(day, clock).map(([date, time]) => `'${date}${time}'`)
const condition = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom('<', '<=', '>', '>=', '='), at)
      .map(([o, t]) => `e.created_at ${o} ${t}`),
  },
  fc.tuple(at, at).map(([a, b]) => `e.created_at between ${a} and ${b}`),
  fc.tuple(at, fc.constantFrom('<', '>=')).map(([t, o]) => `timestamptz ${t} ${o} created_at`),
  fc.constantFrom(
    "year = '2024'",
    "e.year >= '2024'",
    "month = '01'",
    "year = '2024' and month = '02'",
    "day = '01'",
  ),
  fc.constantFrom(
    "created_at < now() - interval '400 days'",
    'created_at >= current_date',
    "date_trunc('month', created_at) = '2024-01-01'",
  ),
  fc.constantFrom(
    "source_ip = '10.0.0.3'",
    "user_name in ('user1', 'user2')",
    'description is null',
    "description = ''",
    "(event_details ->> 'i') = '7'",
    "description like '%行%'",
  ),
)
const where = fc.oneof(
  condition,
  fc.tuple(condition, condition).map(([a, b]) => `${a} and ${b}`),
  fc.tuple(condition, condition).map(([a, b]) => `(${a} or ${b})`),
  fc.tuple(condition, condition, condition).map(([a, b, c]) => `${a} and (${b} or not ${c})`),
)
const question = fc.oneof(
  where.map(
    (w) =>
      `select count(*), count(distinct id), min(created_at), max(created_at) from security_events e where ${w}`,
  ),
  where.map(
    (w) =>
      `select user_name, source_ip, count(*) from security_events e where ${w} group by all order by all`,
  ),
  where.map(
    (w) =>
      `select id, description, event_details, xid, source_ip, created_at from security_events e where ${w} order by id limit 300`,
  ),
  where.map((w) => `select * from security_events e where ${w} order by created_at, id limit 20`),
  fc
    .tuple(where, where)
    .map(
      ([v, w]) =>
        `with a as (select id as own from security_events e where ${v}) select count(*), sum(xid) from a join security_events e on own = e.id where ${w}`,
    ),
  fc
    .tuple(where, where)
    .map(
      ([v, w]) =>
        `select count(*) from security_events e where ${v} union all select count(*) from security_events e where ${w}`,
    ),
  where.map(
    (w) =>
      `select x.d, count(e.id) from (values ('01'), ('29')) x (d) left join security_events e on e.day = x.d and ${w} group by 1 order by 1`,
  ),
)

async function answersTo(questions: readonly string[]): Promise<string[]> {
  const answers: string[] = []
  for (const sql of questions) {
    const { rows, types } = await queries.run(tester, { sql }).catch((error: unknown) => {
      throw new Error(sql, { cause: error })
    })
    answers.push(JSON.stringify({ types, rows }))
  }
  return answers
}

test(
  'hot and cold together equal all hot, while rows are archived too',
  async () => {
    const questions = fc.sample(question, { numRuns: QUESTIONS, seed: SEED })
    const hot = await answersTo(questions)
    expect(new Set(hot).size).toBeGreaterThan(QUESTIONS / 4)
    let archiving = true
    const archived = (async () => {
      for (const date of DAYS) {
        const asOf = new Date(Date.parse(date) + 86_400_000 * 60)
        await runArchive(worker, tester, cold.store, { table: events, only: 'export', asOf, partRows: 100 })
      }
      const rows = await runArchive(worker, tester, cold.store, { table: events, partRows: 100 })
      archiving = false
      return rows
    })()
    let rounds = 0
    while (archiving) {
      const place = rounds % questions.length
      const [moving] = await answersTo(questions.slice(place, place + 1))
      expect(moving, questions[place]).toBe(hot[place])
      rounds += 1
    }
    expect((await archived).filter(({ dropped }) => dropped)).toHaveLength(DAYS.length)
    const after = await answersTo(questions)
    for (const [i, sql] of questions.entries()) expect(after[i], sql).toBe(hot[i])
    expect(rounds).toBeGreaterThan(0)
  },
  TIMEOUT_MS,
)
