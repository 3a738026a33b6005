/** Rules, findings and what was looked at, over HTTP; a finding's bundle, and what a changed one is worth. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkProof, readLogHeads, verifierKeys } from '../../src/audit/index.ts'
import {
  calendarOf,
  checkFindingBundle,
  type FindingBundle,
  LiveDetector,
  OWN_RULES,
  readRuleFolders,
} from '../../src/detection/index.ts'
import { createApiKey } from '../../src/identity/index.ts'
import { makeUser } from '../identity/people.ts'
import { testServer } from '../identity/server.ts'
import { testStore } from '../lifecycle/support/archive.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { overSocket } from './client.ts'

const database = testDatabase()
const worker = database.open('worker')
const server = testServer(database)
const ledger = testLedger(worker)
const cold = testStore()
const analyst = { host: 'localhost', authorization: '' }
const reader = { host: 'localhost', authorization: '' }
let app: ReturnType<typeof server.app>
let userId: string

const sql = (text: string, values: readonly unknown[] = []) =>
  database.asSuperuser((session) => session.query<Record<string, unknown>>(text, [...values]))

beforeAll(async () => {
  const user = await makeUser(database, 'security_admin')
  userId = user.userId
  const open = database.open('app')
  const all = await createApiKey(open, user, {
    name: 'all',
    scopes: ['events:read', 'events:write', 'audit_logs:read'],
  })
  analyst.authorization = `Bearer ${all.key}`
  reader.authorization = `Bearer ${(await createApiKey(open, user, { name: 'few', scopes: ['events:read'] })).key}`
  await sql(`select akashi_security.record_event('authentication_failure', 'authentication', 'low', 'app', source_ip => '203.0.113.7', user_name => 'zoe')
    from generate_series(1, 6)`)
  await sql(
    `select akashi_security.record_event('mfa_disabled', 'authentication', 'medium', 'app', user_name => 'yui', user_id => 'yui')`,
  )
  await ledger.seal()
  const { rules } = await readRuleFolders([OWN_RULES])
  await new LiveDetector(rules, calendarOf('Asia/Tokyo', [])).round(worker, tester)
  await ledger.seal()
  app = server.app({}, { store: cold.store })
})
afterAll(() => app.close())

const ask = (method: 'GET' | 'POST' | 'PATCH', path: string, payload?: object, headers: object = analyst) =>
  overSocket(app, {
    method,
    url: `/v1/detection${path}`,
    headers: { ...headers },
    ...(payload === undefined ? {} : { payload }),
  })

interface Found {
  readonly id: string
  readonly rule: string
  readonly severity: string
  readonly entity: string
}
const findings = async (query = '') =>
  (await ask('GET', `/findings${query}`)).json<{ rows: Found[]; next: string | null }>()

describe('rules', () => {
  it('are listed with what they found', async () => {
    const answer = await ask('GET', '/rules', undefined, reader)
    expect(answer.statusCode).toBe(200)
    const { rules, refused } = answer.json<{ rules: Record<string, unknown>[]; refused: object[] }>()
    expect(refused).toEqual([])
    expect(rules.length).toBeGreaterThan(50)
    const brute = rules.find(({ name }) => name === 'brute_force_by_address')
    expect(brute).toMatchObject({
      findings: 1,
      open: 1,
      attack: ['T1110'],
      tactics: ['credential-access'],
      noise: { budget: 10, exceeded: false },
      tests: { failed: 0 },
    })
    expect(brute?.['days']).toEqual([{ day: new Date().toISOString().slice(0, 10), findings: 1 }])
    expect(rules.every(({ tests }) => (tests as { failed: number }).failed === 0)).toBe(true)
    // One of the events of a rule, not a rule that reports.
    expect(rules.some(({ name }) => name === 'data_access_event')).toBe(false)
  })

  it('are explained', async () => {
    const rule = (await ask('GET', '/rules/brute_force_by_address')).json()
    expect(rule).toMatchObject({
      timespanSeconds: 300,
      groupBy: ['source_ip'],
      condition: [{ comparison: 'gt', value: 5 }],
      log: 'security_events',
    })
    expect(rule.titleJa).toMatch(/総当たり/)
    expect(rule.sql).toContain('security_events')
    expect(rule.testResults.every(({ passed }: { passed: boolean }) => passed)).toBe(true)
    expect((await ask('GET', '/rules/no_such_rule')).statusCode).toBe(404)
  })

  it('are placed in the matrix of ATT&CK', async () => {
    const { tactics } = (await ask('GET', '/matrix')).json<{
      tactics: { tactic: string; techniques: { technique: string; rules: string[]; findings: number }[] }[]
    }>()
    const order = tactics.map(({ tactic }) => tactic)
    expect(order.indexOf('initial-access')).toBeLessThan(order.indexOf('impact'))
    const access = tactics.find(({ tactic }) => tactic === 'credential-access')
    const guessing = access?.techniques.find(({ technique }) => technique === 'T1110')
    expect(guessing?.rules).toContain('brute_force_by_address')
    expect(guessing?.findings).toBeGreaterThanOrEqual(2)
  })

  it('are tried before they are used, and leave nothing behind', async () => {
    const text =
      'title: Zoe\nid: zoe\nlogsource: {product: akashi, service: security_events}\ndetection:\n  s: {user_name: zoe, event_type: authentication_failure}\n  condition: s\n'
    const before = (await findings()).rows.length
    const tried = (await ask('POST', '/backtest', { text, reason: 'a new rule' })).json()
    expect(tried).toMatchObject({ total: 1, matched: 6, truncated: false })
    expect(tried.findings[0]).toMatchObject({ rule: 'zoe', count: 6, severity: 'medium' })
    expect(tried.days).toEqual([{ day: new Date().toISOString().slice(0, 10), findings: 1 }])
    expect((await ask('POST', '/backtest', { rule: 'brute_force_by_address' })).json()).toMatchObject({
      total: 1,
    })
    expect(
      (await ask('POST', '/backtest', { rule: 'brute_force_by_address', to: '2020-01-01T00:00:00Z' })).json(),
    ).toMatchObject({ total: 0 })
    expect((await findings()).rows).toHaveLength(before)
    const wrong = await ask('POST', '/backtest', { text: 'title: x\nid: x\ndetection: {}' })
    expect(wrong.statusCode).toBe(400)
    expect(wrong.body).toContain('line 1: logsource is missing')
    expect((await ask('POST', '/backtest', { text, rule: 'x' })).statusCode).toBe(400)
    expect((await ask('POST', '/backtest', { rule: 'no_such_rule' })).statusCode).toBe(404)
    expect((await ask('POST', '/backtest', {}, reader)).statusCode).toBe(403)
  })

  it('are told apart by what they have seen', async () => {
    const { logs } = (await ask('GET', '/coverage')).json<{
      logs: { log: string; sealed: number; covered: number; rules: number; gaps: object[] }[]
    }>()
    expect(logs.map(({ log }) => log)).toEqual(
      ['security_events', 'audit_logs', 'login_attempts'].slice(0, logs.length),
    )
    const [events] = logs
    expect(events?.sealed).toBeGreaterThan(6)
    expect(events?.rules).toBeGreaterThan(20)
  })
})

describe('findings', () => {
  it('are listed by filters and page by page', async () => {
    const { rows } = await findings()
    expect(rows.map(({ rule }) => rule)).toEqual(
      expect.arrayContaining(['brute_force_by_address', 'brute_force_by_account']),
    )
    expect((await findings('?entity=203.0.113.7')).rows.map(({ rule }) => rule)).toEqual([
      'brute_force_by_address',
    ])
    expect((await findings('?rule=brute_force_by_account')).rows).toHaveLength(1)
    expect(
      (await findings('?minSeverity=critical')).rows.every(({ severity }) => severity === 'critical'),
    ).toBe(true)
    expect((await findings('?active=false')).rows).toEqual([])
    expect((await findings('?overdue=true')).rows).toEqual([])
    expect((await findings('?to=2020-01-01T00:00:00Z')).rows).toEqual([])
    expect((await findings('?from=2020-01-01T00:00:00Z')).rows).toHaveLength(rows.length)
    const pages: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: { rows: Found[]; next: string | null } = await findings(
        `?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`,
      )
      pages.push(...page.rows.map(({ id }) => id))
      cursor = page.next
    }
    expect(pages).toEqual(rows.map(({ id }) => id))
    expect((await ask('GET', '/findings?cursor=x')).statusCode).toBe(400)
    expect((await ask('GET', '/findings?status=none')).statusCode).toBe(400)
  })

  it('are read one at a time with their events in order', async () => {
    const [{ id } = { id: '' }] = (await findings('?rule=brute_force_by_address')).rows
    const finding = (await ask('GET', `/findings/${id}`)).json()
    expect(finding).toMatchObject({
      count: 6,
      archived: [],
      attack: ['T1110'],
      subject: { source_ip: '203.0.113.7' },
    })
    expect(finding.evidence).toHaveLength(6)
    const times = finding.evidence.map((event: Record<string, string>) => event['created_at'])
    expect(times).toEqual(times.toSorted())
    expect(finding.evidence[0]).toMatchObject({ user_name: 'zoe', event_type: 'authentication_failure' })
    const { rows } = await sql(
      `select detail from akashi_audit.audit_logs where resource = 'akashi_security.detection_findings' and event_type = 'data_access' order by seq desc limit 1`,
    )
    expect(rows[0]?.['detail']).toMatchObject({ asked: { id }, findings: [id] })
    expect((await ask('GET', '/findings/01890a5d-ac96-774b-bcce-b302099a8057')).statusCode).toBe(404)
    expect((await ask('GET', '/findings/x')).statusCode).toBe(400)
  })

  it('are decided by whoever may write', async () => {
    const [{ id } = { id: '' }] = (await findings('?rule=brute_force_by_account')).rows
    const change = (body: object, headers = analyst) => ask('PATCH', `/findings/${id}`, body, headers)
    expect(
      (await change({ status: 'in_progress', assignee: userId, notes: 'asked zoe' })).json(),
    ).toMatchObject({
      status: 'in_progress',
      assignee: userId,
      notes: 'asked zoe',
      closedAt: null,
    })
    const closed = (await change({ status: 'false_positive' })).json()
    expect(closed).toMatchObject({ status: 'false_positive', assignee: userId, notes: 'asked zoe' })
    expect(closed.closedAt).not.toBeNull()
    expect((await findings(`?assignee=${userId}&active=false`)).rows).toHaveLength(1)
    const { rules } = (await ask('GET', '/rules')).json()
    expect(rules.find(({ name }: { name: string }) => name === 'brute_force_by_account')).toMatchObject({
      falsePositives: 1,
      falsePositiveRate: 1,
      open: 0,
    })
    expect((await change({})).statusCode).toBe(400)
    expect((await change({ status: 'gone' })).statusCode).toBe(400)
    expect((await change({ severity: 'low' })).statusCode).toBe(400)
    expect((await change({ assignee: '01890a5d-ac96-774b-bcce-b302099a8057' })).statusCode).toBe(400)
    expect((await change({ notes: 'x' }, reader)).statusCode).toBe(403)
    expect((await ask('GET', '/findings', undefined, { host: 'localhost' })).statusCode).toBe(401)
  })

  it('are cases by what they are about', async () => {
    const { rows } = (await ask('GET', '/cases')).json<{
      rows: { entity: string; rules: string[]; open: number }[]
    }>()
    const address = rows.find(({ entity }) => entity === '203.0.113.7')
    expect(address).toMatchObject({
      rules: ['brute_force_by_address'],
      open: 1,
      tactics: ['credential-access'],
    })
    expect(rows.some(({ entity }) => entity === 'zoe')).toBe(false)
    const all = (await ask('GET', '/cases?active=false')).json<{ rows: { entity: string }[] }>().rows
    expect(all.some(({ entity }) => entity === 'zoe')).toBe(true)
    const first = (await ask('GET', '/cases?active=false&limit=1')).json<{
      rows: { entity: string }[]
      next: string
    }>()
    const second = (await ask('GET', `/cases?active=false&limit=200&cursor=${first.next}`)).json<{
      rows: { entity: string }[]
    }>()
    expect([...first.rows, ...second.rows].map(({ entity }) => entity)).toEqual(
      all.map(({ entity }) => entity),
    )
  })
})

describe('a bundle', () => {
  const check = async (bundle: unknown) => {
    const heads = await readLogHeads(database.open('security_admin'), tester)
    const keys = (await Promise.all(heads.map(({ origin }) => verifierKeys(ledger.keyring)(origin)))).flat()
    return checkFindingBundle(bundle, (proof) => checkProof(proof, keys))
  }

  it('proves a finding without the database, and nothing in it can be changed', async () => {
    const [{ id } = { id: '' }] = (await findings('?rule=brute_force_by_address')).rows
    const bundle = (await ask('GET', `/findings/${id}/bundle`)).json<FindingBundle>()
    expect(await check(bundle)).toEqual({
      id,
      rule: 'brute_force_by_address',
      events: 6,
      complete: true,
      foundAgain: true,
      runs: 1,
    })
    const other = {
      ...bundle,
      rule: { ...bundle.rule, texts: bundle.rule.texts.map((text) => text.replace('gt: 5', 'gt: 2')) },
    }
    await expect(check(other)).rejects.toThrow(/hash/)
    const [event] = bundle.events
    if (event === undefined) throw new Error('no event')
    const forged = { ...event, row: { ...event.row, user_name: 'yui' } }
    await expect(check({ ...bundle, events: [forged, ...bundle.events.slice(1)] })).rejects.toThrow(
      /not lead to the root/,
    )
    await expect(check({ ...bundle, events: [event, ...bundle.events] })).rejects.toThrow(/twice/)
    expect(await check({ ...bundle, events: [event] })).toMatchObject({ complete: false, foundAgain: false })
    await expect(check({ ...bundle, runs: [] })).rejects.toThrow(/no run/)
    const run = bundle.runs[0]
    await expect(check({ ...bundle, runs: [{ ...run, rules: run?.rules.slice(1) }] })).rejects.toThrow(
      /rules of a run/,
    )
    await expect(check({ ...bundle, runs: [{ ...run, proof: event }] })).rejects.toThrow(/is not a run/)
    await expect(
      check({ ...bundle, finding: { ...bundle.finding, id: '01890a5d-ac96-874b-bcce-b302099a8057' } }),
    ).rejects.toThrow(/does not contain the finding/)
    await expect(check({})).rejects.toThrow(/not a bundle/)
  })
})
