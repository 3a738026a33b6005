/** Rules over what is sealed, as it is sealed: findings, what was seen, and processes that end at any moment. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  calendarOf,
  changeFinding,
  configuredRules,
  coverageOf,
  gapsOf,
  LiveDetector,
  listFindings,
  OWN_RULES,
  overridesOf,
  type Rule,
  readRuleFolders,
  reportRules,
  runAndKeep,
} from '../../src/detection/index.ts'
import { openQueries, type Queries, runArchive } from '../../src/lifecycle/index.ts'
import { loadEvents, parseEvents } from '../../src/security/index.ts'
import { makePerson } from '../chat/people.ts'
import { testStore } from '../lifecycle/support/archive.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const worker = database.open('worker')
const admin = database.open('security_admin')
const ledger = testLedger(worker)
const calendar = calendarOf('Asia/Tokyo', [])
const cold = testStore()
const KILLS = 25
const START = Date.now() - 3_600_000
let rules: readonly Rule[] = []
let queries: Queries

beforeAll(async () => {
  rules = (await readRuleFolders([OWN_RULES])).rules
  queries = openQueries({ database: admin, store: cold.store })
})
afterAll(() => queries.close())

const failure = (second: number, address: string) =>
  `${new Date(START + second * 1000).toISOString()} web1 sshd[${Math.abs(second)}]: Failed password for root from ${address} port ${Math.abs(second) + 1} ssh2`

async function load(lines: readonly string[]) {
  await loadUnsealed(lines)
  await ledger.seal()
}

async function loadUnsealed(lines: readonly string[]) {
  const bytes = (async function* () {
    yield Buffer.from(lines.join('\n'))
  })()
  const options = { format: 'sshd', timezone: 'UTC', year: null, asOf: new Date() } as const
  await loadEvents(worker, tester, parseEvents(bytes, options), { source: 'x', format: 'sshd' })
}

const ask = async <R>(sql: string): Promise<R[]> =>
  await database.asSuperuser(async (session) => (await session.query<R>(sql)).rows)
const byAddress = async () =>
  (await listFindings(admin, tester)).rows
    .filter(({ rule }) => rule === 'brute_force_by_address')
    .map(({ subject, count }) => [subject['source_ip'], count])
    .sort()

describe('a detector', () => {
  test('keeps a finding, its event and what it has seen', async () => {
    await load([1, 2, 3, 4, 5, 6].map((second) => failure(second, '192.0.2.1')))
    const detector = new LiveDetector(rules, calendar)
    await detector.round(worker, tester)
    expect(await byAddress()).toEqual([['192.0.2.1', 6]])
    const [event] = await ask<{ source_ip: string; source_service: string; rule: string }>(
      `select host(source_ip) as source_ip, source_service, event_details ->> 'rule' as rule from akashi_security.security_events
       where event_type = 'brute_force_detected' and source_ip is not null`,
    )
    expect(event).toEqual({
      source_ip: '192.0.2.1',
      source_service: 'security_monitor',
      rule: 'brute_force_by_address',
    })
    const trail = await ask(
      `select from akashi_audit.audit_logs where table_name = 'detection_runs' and operation = 'INSERT'`,
    )
    expect(trail.length).toBeGreaterThan(0)
  })

  test('grows a finding, and does not record its event again', async () => {
    await load([10, 11].map((second) => failure(second, '192.0.2.1')))
    await new LiveDetector(rules, calendar).round(worker, tester)
    expect(await byAddress()).toEqual([['192.0.2.1', 8]])
    expect(
      await ask(
        `select from akashi_security.security_events where event_type = 'brute_force_detected' and source_ip is not null`,
      ),
    ).toHaveLength(1)
  })

  test('that is killed again and again misses nothing and leaves nothing unseen', async () => {
    let detector = new LiveDetector(rules, calendar)
    for (let kill = 0; kill < KILLS; kill += 1) {
      await load([failure(20 + kill, '192.0.2.50'), failure(20 + kill, `192.0.2.${100 + (kill % 3)}`)])
      const stop = new AbortController()
      const round = detector.round(worker, tester, stop.signal)
      // It ends with the round under way, behind it, or with what was read and not yet recorded.
      if (kill % 3 === 0) stop.abort(new Error('killed'))
      await round.catch(() => undefined)
      if (kill % 3 !== 2) detector = new LiveDetector(rules, calendar)
    }
    await new LiveDetector(rules, calendar, undefined, 0).round(worker, tester)
    await ledger.seal()
    const last = new LiveDetector(rules, calendar, undefined, 0)
    await last.round(worker, tester)
    await last.flush(worker, tester)
    const found = new Map((await byAddress()) as [string, number][])
    expect(found.get('192.0.2.50')).toBe(KILLS)
    expect(['192.0.2.100', '192.0.2.101', '192.0.2.102'].map((address) => found.get(address))).toEqual([
      9, 8, 8,
    ])
    const [events] = await coverageOf(admin, tester, rules)
    expect(events?.gaps).toEqual([])
    expect(events?.sealed).toBeGreaterThan(50)
  })

  test('that starts finds what is sealed only afterwards, together with what was seen before', async () => {
    const [seen, rest] = [
      [200, 202, 204],
      [199, 201, 203],
    ].map((seconds) => seconds.map((second) => failure(second, '192.0.2.60')))
    await load(seen ?? [])
    const before = new LiveDetector(rules, calendar, undefined, 0)
    await before.round(worker, tester)
    await before.flush(worker, tester)
    await loadUnsealed(rest ?? [])
    const started = new LiveDetector(rules, calendar, undefined, 0)
    await started.round(worker, tester)
    expect(new Map((await byAddress()) as [string, number][]).get('192.0.2.60')).toBeUndefined()
    await ledger.seal()
    await started.round(worker, tester)
    expect(new Map((await byAddress()) as [string, number][]).get('192.0.2.60')).toBe(6)
  })

  describe('rows that are older than others before them', () => {
    const DAYS_2 = -2 * 86_400
    const round = async (detector: LiveDetector) => {
      await detector.round(worker, tester)
      await detector.flush(worker, tester)
    }
    const countOf = async (address: string) => new Map((await byAddress()) as [string, number][]).get(address)

    test('are found together with what was evaluated around them', async () => {
      const detector = new LiveDetector(rules, calendar, undefined, 0)
      await load([0, 2, 4].map((second) => failure(DAYS_2 + second, '192.0.2.70')))
      await round(detector)
      // Whatever is newer makes the windows forget.
      await load([failure(300, '192.0.2.71')])
      await round(detector)
      await load([1, 3].map((second) => failure(DAYS_2 + second, '192.0.2.70')))
      await round(detector)
      expect(await countOf('192.0.2.70')).toBeUndefined()
      await load([failure(301, '192.0.2.71'), failure(DAYS_2 + 5, '192.0.2.70')])
      await round(detector)
      expect(await countOf('192.0.2.70')).toBe(6)
      // A process that starts has no windows of that time either.
      const started = new LiveDetector(rules, calendar, undefined, 0)
      await load([failure(302, '192.0.2.71')])
      await round(started)
      await load([failure(DAYS_2 + 6, '192.0.2.70')])
      await round(started)
      expect(await countOf('192.0.2.70')).toBe(7)
    })

    test('are found after a row with a time in the future', async () => {
      const detector = new LiveDetector(rules, calendar, undefined, 0)
      await load([310, 312, 314].map((second) => failure(second, '192.0.2.72')))
      await round(detector)
      await load([failure(3_600 + 80_000, '192.0.2.73')])
      await round(detector)
      await load([311, 313, 315].map((second) => failure(second, '192.0.2.72')))
      await round(detector)
      expect(await countOf('192.0.2.72')).toBe(6)
    })

    test('are a gap if they were archived before they could be read', async () => {
      const detector = new LiveDetector(rules, calendar, undefined, 0)
      await round(detector)
      await load([0, 1, 2].map((second) => failure(-400 * 86_400 + second, '192.0.2.74')))
      await runArchive(worker, tester, cold.store, {
        table: { schema: 'akashi_security', table: 'security_events' },
      })
      await ledger.seal()
      await load([failure(320, '192.0.2.75')])
      await round(detector)
      const [events] = await coverageOf(admin, tester, rules)
      expect(events?.gaps.every(({ first, end }) => end - first === 3)).toBe(true)
      expect(events?.gaps.length).toBeGreaterThan(1)
      await runAndKeep(
        { queries, database: admin, actor: tester, rules, calendar },
        { from: null, to: null, reason: 'test' },
      )
      await ledger.seal()
      await round(detector)
      expect((await coverageOf(admin, tester, rules))[0]?.gaps).toEqual([])
    })
  })

  test('a run that cannot take all events does not cover the log', async () => {
    const { rules: changed } = await readRuleFolders([OWN_RULES], overridesOf(['password_spraying=4/20m']))
    const ran = await runAndKeep(
      { queries, database: admin, actor: tester, rules: changed, calendar },
      { from: null, to: null, reason: 'test', rows: 1 },
    )
    expect(ran.truncated).toBe(true)
    const [events] = await coverageOf(admin, tester, changed)
    expect(events?.gaps.map(({ rule, first }) => [rule, first])).toContainEqual(['password_spraying', 0])
  })

  test('a rule that is new has not seen what was before, until a run over everything', async () => {
    const { rules: changed } = await readRuleFolders([OWN_RULES], overridesOf(['password_spraying=3/20m']))
    const gaps = async () =>
      (await coverageOf(admin, tester, changed))
        .flatMap((each) => each.gaps)
        .filter(({ log }) => log === 'security_events')
    expect((await gaps()).map(({ rule, first }) => [rule, first])).toEqual([['password_spraying', 0]])
    const before = await byAddress()
    const ran = await runAndKeep(
      { queries, database: admin, actor: tester, rules: changed, calendar },
      { from: null, to: null, reason: 'test' },
    )
    expect(ran.findings.length).toBeGreaterThan(3)
    expect(await byAddress()).toEqual(before)
    await ledger.seal()
    const rest = await gaps()
    // Only what was sealed by the run itself.
    expect(rest.every(({ first }) => first > 50)).toBe(true)
  })
})

test('what people decide is kept, audited, and counts for the rule', async () => {
  const [finding] = (await listFindings(admin, tester)).rows
  if (finding === undefined) throw new Error('no finding')
  expect(finding).toMatchObject({ status: 'open', closedAt: null })
  const closed = await changeFinding(admin, tester, finding.id, { status: 'false_positive', notes: 'a test' })
  expect(closed).toMatchObject({ status: 'false_positive', notes: 'a test' })
  expect(closed.closedAt).not.toBeNull()
  expect(await changeFinding(admin, tester, finding.id, { status: 'in_progress' })).toMatchObject({
    closedAt: null,
  })
  await changeFinding(admin, tester, finding.id, { status: 'false_positive' })
  await expect(
    changeFinding(admin, tester, '00000000-0000-4000-8000-000000000000', { notes: 'x' }),
  ).rejects.toMatchObject({ code: 'not_found' })
  const [rate] = await ask<{ rate: number }>(
    'select false_positive_rate::float8 as rate from akashi_security.v_detection_rules where false_positives > 0',
  )
  expect(rate?.rate).toBe(1)
  const changes = await ask(
    `select from akashi_audit.audit_logs where table_name = 'detection_findings' and operation = 'UPDATE' and record_id = '${finding.id}'`,
  )
  expect(changes.length).toBeGreaterThanOrEqual(3)
  await expect(
    database.asSuperuser((session) =>
      session.query('update akashi_security.detection_findings set event_count = 0'),
    ),
  ).rejects.toThrow()
  await expect(
    database.asSuperuser((session) => session.query('delete from akashi_security.detection_runs')),
  ).rejects.toThrow()
})

describe('a response', () => {
  const suspended = async (id: string) => {
    const [row] = await ask<{ account_status: string }>(
      `select account_status from akashi_auth.users where id = '${id}'`,
    )
    return row?.account_status
  }
  const outcomes = async (id: string) =>
    (
      await ask<{ action: string; outcome: string }>(
        `select action_performed as action, event_details ->> 'outcome' as outcome from akashi_security.security_events
         where event_type = 'detection_response' and resource_id = '${id}' order by created_at`,
      )
    ).map(({ action, outcome }) => [action, outcome])

  /** So many accesses to data by one user, in an hour of their own. */
  async function access(userId: string, hour: number) {
    await ask(
      `select akashi_lifecycle.create_partitions('akashi_security.security_events', array[now() - interval '${hour} hours'])`,
    )
    await ask(
      `insert into akashi_security.security_events (created_at, event_type, event_category, severity, source_service, user_id)
       select date_trunc('hour', now()) - interval '${hour} hours' + n * interval '1 second', 'read', 'data_access', 'info', 'app', '${userId}' from generate_series(1, 101) n`,
    )
    await ledger.seal()
  }

  test('is only recorded at first, then carried out, and never for the last administrator', async () => {
    const app = database.open('app')
    const bee = (await makePerson(database, app, 'worker-bee')).id
    const root = (await makePerson(database, app, 'root-bee')).id
    await ask(
      `insert into akashi_auth.user_roles (user_id, role_id) select '${root}', id from akashi_auth.roles where name = 'sys_admin'`,
    )
    const policy = ['unusual_access_pattern=suspend_account']
    const run = async (act: boolean) => {
      const { responsesOf } = await import('../../src/detection/index.ts')
      await new LiveDetector(rules, calendar, responsesOf(policy, act)).round(worker, tester)
    }
    await access(bee, 5)
    await run(false)
    expect(await outcomes(bee)).toEqual([['suspend_account', 'dry run']])
    expect(await suspended(bee)).toBe('active')
    await access(bee, 8)
    await access(root, 5)
    await access('somebody of another system', 5)
    await run(true)
    expect(await outcomes(bee)).toEqual([
      ['suspend_account', 'dry run'],
      ['suspend_account', 'done'],
    ])
    expect(await suspended(bee)).toBe('suspended')
    expect(await outcomes(root)).toEqual([['suspend_account', 'refused']])
    expect(await suspended(root)).toBe('active')
    expect(await outcomes('somebody of another system')).toEqual([['suspend_account', 'unknown']])
  })

  test('is for the worker alone', async () => {
    await expect(
      admin.transaction(tester, (session) =>
        session.query("select akashi_auth.respond('x', 'end_sessions')"),
      ),
    ).rejects.toMatchObject({ code: 'forbidden' })
  })
})

test('settings give thresholds, times and holidays', async () => {
  await ask(
    `update akashi_lifecycle.settings set value = '["bulk_operations=7/1m", "first_agent_of_person=off"]' where key = 'detection.rules'`,
  )
  await ask(
    `update akashi_lifecycle.settings set value = '["2026-05-04"]' where key = 'organisation.holidays'`,
  )
  await ask(
    `update akashi_lifecycle.settings set value = '["root_login=50"]' where key = 'detection.noise_budgets'`,
  )
  const configured = await configuredRules(worker, tester)
  const reports = await reportRules(admin, tester, configured)
  const budgetOf = (rule: string) => reports.find(({ name }) => name === rule)?.noise.budget
  expect([budgetOf('root_login'), budgetOf('bulk_operations')]).toEqual([50, 10])
  const bulk = configured.rules.find(({ name }) => name === 'bulk_operations')
  expect(bulk).toMatchObject({ timespan: 60_000_000, condition: [{ comparison: 'gt', value: 7 }] })
  expect(configured.rules.some(({ name }) => name === 'first_agent_of_person')).toBe(false)
  expect(configured.calendar.holidays).toHaveLength(1)
  const folder = await mkdtemp(join(tmpdir(), 'akashi-rules-'))
  await writeFile(
    join(folder, 'own.yml'),
    'title: Own\nid: own\nlogsource: {product: akashi, service: security_events}\ndetection:\n  s: {user_name: zoe}\n  condition: s\n',
  )
  await ask(
    `update akashi_lifecycle.settings set value = '["${folder}", "/nowhere/at/all"]' where key = 'detection.folders'`,
  )
  const further = await configuredRules(worker, tester)
  expect(further.rules.length).toBe(configured.rules.length + 1)
  expect(further.rules.some(({ id }) => id === 'own')).toBe(true)
  expect(further.refused).toEqual([{ file: '/nowhere/at/all', line: 1, reason: 'the folder cannot be read' }])
  await rm(folder, { recursive: true })
  await expect(
    ask(`update akashi_lifecycle.settings set value = '["x=y"]' where key = 'detection.rules'`),
  ).rejects.toThrow()
})

describe('the functions of the source', () => {
  test('detect_security_anomalies() records each attack once', async () => {
    const record = (count: number, fields: string) =>
      ask(`select akashi_security.record_event(${fields}) from generate_series(1, ${count})`)
    await record(
      6,
      `'authentication_failure', 'authentication', 'low', 'app', source_ip => '203.0.113.1', user_name => 'zoe'`,
    )
    await record(
      5,
      `'authentication_failure', 'authentication', 'low', 'app', source_ip => '203.0.113.2', user_name => 'yui'`,
    )
    await record(101, `'read', 'data_access', 'info', 'app', user_id => 'reader-1', resource_type => 'card'`)
    const run = () =>
      worker.transaction(tester, (session) =>
        session.query('select akashi_security.detect_security_anomalies()'),
      )
    await run()
    await run()
    const found = await ask<{
      event_type: string
      severity: string
      subject: string
      details: Record<string, unknown>
    }>(
      `select event_type, severity, event_details ->> 'subject' as subject, event_details as details from akashi_security.security_events
       where source_service = 'security_monitor' and action_performed = 'anomaly_detection' and event_details ->> 'subject' in ('203.0.113.1', '203.0.113.2', 'zoe', 'yui', 'reader-1') order by 3`,
    )
    expect(found.map(({ event_type, severity, subject }) => [event_type, severity, subject])).toEqual([
      ['brute_force_detected', 'high', '203.0.113.1'],
      ['unusual_access_pattern', 'medium', 'reader-1'],
      ['brute_force_detected', 'high', 'zoe'],
    ])
    expect(found[0]?.details).toMatchObject({ failed_attempts: 6, time_window: '5 minutes' })
    expect(found[1]?.details).toMatchObject({
      access_count: 101,
      resources_accessed: ['card'],
      time_window: '1 hour',
    })
  })

  test('detect_audit_anomalies() has the columns of the source, user by user', async () => {
    const { rows } = await admin.transaction(tester, (session) =>
      session.query<Record<string, unknown>>('select * from akashi_audit.detect_audit_anomalies()'),
    )
    const columns = await ask<{ name: string }>(
      `select unnest(proargnames) as name from pg_proc where proname = 'detect_audit_anomalies'`,
    )
    expect(columns.map(({ name }) => name)).toEqual([
      'anomaly_type',
      'severity',
      'description',
      'affected_user',
      'event_count',
      'time_window',
    ])
    expect(rows.every((row) => row['affected_user'] !== null)).toBe(true)
  })
})

test('gaps between ranges are found', () => {
  expect(gapsOf([], 0)).toEqual([])
  expect(gapsOf([], 5)).toEqual([{ first: 0, end: 5 }])
  expect(
    gapsOf(
      [
        { first: 0, end: 3 },
        { first: 2, end: 4 },
        { first: 6, end: 9 },
      ],
      12,
    ),
  ).toEqual([
    { first: 4, end: 6 },
    { first: 9, end: 12 },
  ])
})
