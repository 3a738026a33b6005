/** Precision and recall of the pack over logs in which it is known what is an attack. */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Finding } from '../../src/detection/correlate.ts'
import {
  calendarOf,
  OWN_RULES,
  type PlainEvent,
  type Rule,
  readRuleFolders,
} from '../../src/detection/index.ts'
import { findRealLog, parseAll, sshd2016 } from '../security/support/parse.ts'
import { testDatabase } from '../support/index.ts'
import { kinds } from './corpus/attacks.ts'
import { buildCorpus } from './corpus/build.ts'
import { findInDuckdb, findInPostgres, findPlainly } from './corpus/engines.ts'
import { expected } from './corpus/expected.ts'
import { scoreOf } from './corpus/score.ts'

const LONG = process.env['AKASHI_LONG'] === '1'
const SEED = Number(process.env['AKASHI_SEED'] ?? 20_260_601)
const LEAST = 0.95
const LONG_TIMEOUT_MS = 3_600_000

const database = testDatabase()
const calendar = calendarOf('Asia/Tokyo', [])
let rules: readonly Rule[] = []
beforeAll(async () => {
  rules = (await readRuleFolders([OWN_RULES])).rules
})

const brief = (findings: readonly Finding[]) =>
  findings
    .map(({ id, rule, count, firstAt, lastAt }) => [id, rule.name, count, firstAt, lastAt].join(' '))
    .sort()

test('every kind of attack has rules that are for it', () => {
  const attacks = kinds.map(({ name }) => name).filter((name) => expected[name] !== undefined)
  expect(attacks.length).toBeGreaterThanOrEqual(20)
  expect(Object.keys(expected)).toEqual(attacks)
  const names = new Set(rules.map(({ name }) => name))
  for (const { finds, also = [] } of Object.values(expected))
    for (const name of [...finds, ...also]) expect(names).toContain(name)
})

test('attacks are found, near misses are not, and the three engines agree', async () => {
  const corpus = await buildCorpus({ seed: SEED, each: 3, background: 5_000 })
  const found = findPlainly(corpus, rules, calendar)
  const score = scoreOf(corpus, found, expected)
  expect(score).toMatchObject({ missed: [], wrong: [] })
  expect(brief(await findInDuckdb(corpus, rules, calendar))).toEqual(brief(found))
  const hot = await database.asSuperuser((session) => findInPostgres(session, corpus, rules, calendar))
  expect(brief(hot)).toEqual(brief(found))
})

if (LONG) {
  test(
    'attacks are found in a million lines of background',
    async () => {
      const corpus = await buildCorpus({ seed: SEED, each: 20, background: 1_000_000 })
      const score = scoreOf(corpus, await findInDuckdb(corpus, rules, calendar), expected)
      process.stderr.write(`${JSON.stringify({ ...score, attacks: corpus.attacks.length })}\n`)
      expect(score.precision).toBeGreaterThanOrEqual(LEAST)
      expect(score.recall).toBeGreaterThanOrEqual(LEAST)
    },
    LONG_TIMEOUT_MS,
  )
}

/** Maximum failures within a number of seconds, from the requirements. */
const FAILURES = 5
const SECONDS = 300

/** The windows of a log that hold too many failures of one address, counted line by line. */
function countedByHand(log: string): string[] {
  const failures = new Map<string, number[]>()
  for (const line of log.split('\n')) {
    const match =
      /^(\w+ +\d+ [\d:]+) .*?(?:message repeated (\d+) times: \[ )?Failed password for .* from (\S+) port \d+ ssh2\]?\s*$/.exec(
        line,
      )
    const [, time = '', times = '1', address = ''] = match ?? []
    if (match === null) continue
    const at = Date.parse(`${time} 2016 +08:00`) / 1000
    const of = failures.get(address) ?? []
    for (let n = 0; n < Number(times); n += 1) of.push(at)
    failures.set(address, of)
  }
  const windows = new Set<string>()
  for (const [address, times] of failures) {
    for (const end of times) {
      const within = times.filter((time) => time > end - SECONDS && time <= end).length
      if (within > FAILURES) windows.add(`${address} ${Math.floor(end / SECONDS)}`)
    }
  }
  return [...windows].sort()
}

const realLog = findRealLog()
const realLogs: (readonly [string, string | URL])[] = [
  ['of our own', new URL('../data/sshd.log', import.meta.url)],
  ...(realLog === null ? [] : [['of Loghub', realLog] as const]),
]
describe('brute force in a log of sshd', () => {
  test.each(realLogs)('%s is found as often as a count of its lines says', (_, path) => {
    const log = readFileSync(path, 'latin1')
    const { events } = parseAll(readFileSync(path), sshd2016)
    const labelled = events.map(({ event }) => ({
      id: event.id,
      event: { ...event, created_at: Date.parse(event.created_at) * 1000 } satisfies PlainEvent,
      truth: null,
    }))
    const found = findPlainly({ security_events: labelled, audit_logs: [], attacks: [] }, rules, calendar)
      .filter(({ rule }) => rule.name === 'brute_force_by_address')
      .map(({ subject, lastAt }) => `${subject['source_ip']} ${Math.floor(lastAt / 1_000_000 / SECONDS)}`)
      .sort()
    expect(found).toEqual(countedByHand(log))
    expect(found.length).toBeGreaterThan(0)
  })
})
