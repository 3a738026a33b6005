/** What the people who run an installation ask over HTTP: alarms, jobs, the record, the keyring, restores, queries. */
import type { PermissionName } from '@akashi/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TableRestored } from '../../src/backup/index.ts'
import { createApiKey } from '../../src/identity/index.ts'
import { rotateKey } from '../../src/operations/index.ts'
import { makeUser } from '../identity/people.ts'
import { type Browser, testServer } from '../identity/server.ts'
import { testKeyring } from '../identity/support.ts'
import { testStore } from '../lifecycle/support/archive.ts'
import { testDatabase } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { overSocket } from './client.ts'

const database = testDatabase()
const worker = database.open('worker')
const owner = database.open('owner')
const ledger = testLedger(worker)
const keys = testKeyring()
const place = testStore()
const server = testServer(database)
const reason = 'asked for by a test'
let app: ReturnType<typeof server.app>
let admin: Browser
let other: Browser
let reading = ''
let restoring: (signal: AbortSignal, onPhase: (phase: string) => void) => Promise<TableRestored> = () =>
  Promise.reject(new Error('nothing is restored yet'))

const rows = async <R>(text: string, values: unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<R>(text, values))).rows

/** What the trail has of an action, the newest row. */
const recorded = async (eventType: string) =>
  (
    await rows<{ user_id: string; action: string; resource: string; detail: Record<string, unknown> }>(
      'select user_id, action, resource, detail from akashi_audit.audit_logs where event_type = $1 order by seq desc limit 1',
      [eventType],
    )
  )[0]

beforeAll(async () => {
  await rows(`update akashi_auth.security_policies set value = '[]' where key = 'mfa.required_tiers'`)
  await rows('create table public.orders (id integer primary key, item text, price numeric)')
  app = server.app(
    {},
    {
      keyring: keys.keyring,
      administer: (_, work) => work(owner),
      rotateKey: (actor, options) =>
        rotateKey({ keyring: keys.keyring, store: place.store, owner, worker, actor }, options),
      diagnose: async () => ({
        ok: false,
        score: 80,
        checks: [
          {
            name: 'disk',
            area: 'recovery',
            ok: false,
            detail: '91 % used',
            hint: 'free space',
            deduction: 20,
          },
        ],
      }),
      backups: {
        // biome-ignore lint/suspicious/noExplicitAny: nothing of it is used here
        open: () => Promise.resolve({} as any),
        point: () => Promise.resolve('0/16B3748'),
        planPrune: () => Promise.reject(new Error('nothing is pruned here')),
        openForAuditCopies: () => Promise.reject(new Error('there are no copies here')),
        restoreTable: (_, __, { signal, onPhase = () => undefined }) =>
          restoring(signal ?? new AbortController().signal, onPhase),
      },
    },
  )
  await server.user('operator', { role: 'sys_admin' })
  await server.user('colleague', { role: 'sys_admin' })
  admin = server.browser(app)
  other = server.browser(app)
  expect((await admin.signIn('operator')).statusCode).toBe(200)
  expect((await other.signIn('colleague')).statusCode).toBe(200)
  const user = await makeUser(database, 'sys_admin')
  const scopes: PermissionName[] = ['ledger:read', 'monitoring:read', 'jobs:read', 'keys:read']
  reading = (await createApiKey(database.open('app'), user, { name: 'reading', scopes })).key
})
afterAll(() => app.close())

const asReader = async (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, payload?: object) =>
  (
    await overSocket(app, {
      method,
      url,
      headers: { host: 'localhost', authorization: `Bearer ${reading}` },
      ...(payload === undefined ? {} : { payload }),
    })
  ).statusCode

describe('jobs', () => {
  it('are listed with their next run, in the time zone that they follow', async () => {
    await rows(
      `insert into akashi_lifecycle.jobs (name, schedule, task, description, zone) values
         ('local-morning', '0 9 * * *', 'test.none', 'at nine', 'organisation'),
         ('never', '0 0 31 2 *', 'test.none', 'on no day', 'UTC')`,
    )
    const { jobs } = (await admin.send('GET', '/v1/jobs')).json()
    const named = (name: string) => jobs.find((job: { name: string }) => job.name === name)
    expect(named('local-morning')).toMatchObject({ zone: 'Asia/Tokyo', owed: false, lastRun: null })
    expect(named('local-morning').nextAt).toMatch(/T00:00:00.000Z$/)
    expect(Date.parse(named('local-morning').nextAt)).toBeGreaterThan(Date.now())
    expect(named('backup-full').nextAt).toMatch(/T05:00:00.000Z$/)
    expect(named('never').nextAt).toBeNull()
    expect(named('backup-verify')).toMatchObject({ paused: true, nextAt: null })
  })

  it('run now and pause with a reason, which the trail keeps', async () => {
    expect((await admin.send('POST', '/v1/jobs/verify/runs', {})).statusCode).toBe(400)
    const asked = await admin.send('POST', '/v1/jobs/verify/runs', { reason })
    expect(asked.statusCode).toBe(202)
    expect(asked.json()).toMatchObject({ runs: '/v1/jobs/verify/runs' })
    expect(await recorded('job_changed')).toMatchObject({ action: 'run', detail: { reason } })
    expect((await admin.send('POST', '/v1/jobs/no-such-job/runs', { reason })).statusCode).toBe(404)
    expect((await admin.send('PATCH', '/v1/jobs/verify', { paused: true, reason })).statusCode).toBe(204)
    expect(await recorded('job_changed')).toMatchObject({ action: 'pause', detail: { reason } })
    expect(await asReader('POST', '/v1/jobs/verify/runs', { reason })).toBe(403)
  })

  it('show what a run says of itself while it runs', async () => {
    const [begun] = await rows<{ id: string }>(
      `select akashi_lifecycle.begin_run('backup-drill', 'w', clock_timestamp()) as id`,
    )
    await rows(`select akashi_lifecycle.report_progress($1, 'another', '{"phase": "never"}')`, [begun?.id])
    await rows(`select akashi_lifecycle.report_progress($1, 'w', '{"phase": "recover"}')`, [begun?.id])
    const { runs } = (await admin.send('GET', '/v1/jobs/backup-drill/runs?limit=1')).json()
    expect(runs).toMatchObject([{ id: begun?.id, state: 'running', progress: { phase: 'recover' } }])
    expect((await admin.send('GET', '/v1/jobs/backup-drill/runs?limit=0')).statusCode).toBe(400)
  })
})

describe('alarms', () => {
  const report = (looked: string[], found: object[]) =>
    rows<{ opened: number; cleared: number }>('select * from akashi_lifecycle.report_alarms($1, $2)', [
      looked,
      JSON.stringify(found),
    ])
  const disk = {
    condition: 'disk',
    subject: '',
    severity: 'high',
    detail: '91 % used',
    value: 91,
    seconds: 0,
  }
  const job = {
    condition: 'job_failed',
    subject: 'verify',
    severity: 'medium',
    detail: 'it failed',
    seconds: 0,
  }
  const announced = async () =>
    (
      await rows<{ told: string }>(
        `select event_type || ' ' || resource_id as told from akashi_security.security_events
         where event_type like 'alarm\\_%' order by created_at, seq`,
      )
    ).map(({ told }) => told)

  it('open, are acknowledged by somebody, and clear', async () => {
    expect(await report(['disk', 'job_failed'], [disk, job])).toEqual([{ opened: 2, cleared: 0 }])
    expect(await report(['disk', 'job_failed'], [disk, job])).toEqual([{ opened: 0, cleared: 0 }])
    const { alarms } = (await admin.send('GET', '/v1/alarms')).json()
    expect(alarms).toMatchObject([
      { condition: 'disk', severity: 'high', detail: '91 % used', value: 91, acknowledgedAt: null },
      { condition: 'job_failed', subject: 'verify' },
    ])
    const [{ id }] = alarms
    expect(await asReader('POST', `/v1/alarms/${id}/acknowledge`, {})).toBe(403)
    const done = await admin.send('POST', `/v1/alarms/${id}/acknowledge`, { note: 'disk ordered' })
    expect(done.statusCode).toBe(204)
    expect(await recorded('alarm_acknowledged')).toMatchObject({ detail: { note: 'disk ordered' } })
    expect((await admin.send('GET', '/v1/alarms')).json().alarms[0]).toMatchObject({ note: 'disk ordered' })
    const conditions = (await admin.send('GET', '/v1/alarms/conditions')).json().conditions
    expect(conditions.find(({ name }: { name: string }) => name === 'disk')).toMatchObject({ open: 1 })
    // A condition that was not looked at stays.
    expect(await report(['disk'], [])).toEqual([{ opened: 0, cleared: 1 }])
    expect((await admin.send('GET', '/v1/alarms')).json().alarms).toMatchObject([{ condition: 'job_failed' }])
    expect((await admin.send('POST', `/v1/alarms/${id}/acknowledge`, {})).statusCode).toBe(404)
    const history = (await admin.send('GET', '/v1/alarms/history?limit=1')).json()
    const older = (await admin.send('GET', `/v1/alarms/history?limit=1&cursor=${history.next}`)).json()
    expect(
      [...history.rows, ...older.rows].map((row: { condition: string }) => row.condition).sort(),
    ).toEqual(['disk', 'job_failed'])
    expect(await announced()).toEqual([
      'alarm_opened disk',
      'alarm_opened job_failed/verify',
      'alarm_cleared disk',
    ])
    expect(await report(['job_failed'], [])).toEqual([{ opened: 0, cleared: 1 }])
  })

  it('say nothing while they are silenced, and everything that still holds afterwards', async () => {
    const before = (await announced()).length
    const far = new Date(Date.now() + 91 * 86_400_000).toISOString()
    const soon = new Date(Date.now() + 3_600_000).toISOString()
    const ask = (body: object) => admin.send('POST', '/v1/alarms/silences', { condition: 'disk', ...body })
    expect((await ask({ until: far, reason })).statusCode).toBe(400)
    expect((await ask({ until: '2020-01-01T00:00:00Z', reason })).statusCode).toBe(400)
    expect((await ask({ until: soon, reason: ' ' })).statusCode).toBe(400)
    expect((await ask({ condition: 'dsik', until: soon, reason })).json()).toMatchObject({
      hint: 'did you mean disk?',
    })
    const made = await ask({ until: soon, reason })
    expect(made.statusCode).toBe(201)
    await report(['disk'], [disk])
    expect((await admin.send('GET', '/v1/alarms')).json().alarms).toMatchObject([
      { condition: 'disk', silenced: true },
    ])
    expect(await announced()).toHaveLength(before)
    expect((await admin.send('DELETE', `/v1/alarms/silences/${made.json().id}`)).statusCode).toBe(204)
    expect((await admin.send('DELETE', `/v1/alarms/silences/${made.json().id}`)).statusCode).toBe(404)
    expect((await admin.send('GET', '/v1/alarms/silences')).json().silences).toMatchObject([
      { condition: 'disk', reason, endedBy: expect.any(String) },
    ])
    await report(['disk'], [disk])
    expect((await announced()).slice(before)).toEqual(['alarm_opened disk'])
    await report(['disk'], [])
  })

  it('do not open before they held for long enough', async () => {
    const late = { ...disk, condition: 'store_away', seconds: 3600 }
    expect(await report(['store_away'], [late])).toEqual([{ opened: 0, cleared: 0 }])
    expect((await admin.send('GET', '/v1/alarms')).json().alarms).toEqual([])
    expect(await report(['store_away'], [])).toEqual([{ opened: 0, cleared: 0 }])
    expect(await rows('select from akashi_lifecycle.alarms where opened_at is null')).toEqual([])
  })
})

describe('the record', () => {
  it('is protected and no more, by whom and why', async () => {
    const put = (table: string, body: object) => admin.send('PUT', `/v1/audit/protections/${table}`, body)
    const state = async () =>
      (await admin.send('GET', '/v1/audit/coverage'))
        .json()
        .tables.find(({ table }: { table: string }) => table === 'public.orders')
    expect(await state()).toMatchObject({ state: 'gap' })
    expect((await put('public.orders', { classification: 'confidential' })).statusCode).toBe(400)
    expect((await put('public.nothing', { reason })).statusCode).toBe(404)
    expect(await asReader('PUT', '/v1/audit/protections/public.orders', { reason })).toBe(403)
    const body = { classification: 'confidential', digest: ['item'], reason }
    expect((await put('public.orders', body)).statusCode).toBe(204)
    expect(await state()).toMatchObject({ state: 'protected', classification: 'confidential' })
    expect(await recorded('protection_changed')).toMatchObject({
      user_id: expect.stringMatching(/^[\da-f-]{36}$/),
      action: 'protect',
      resource: 'public.orders',
      detail: { reason },
    })
    await rows(`insert into public.orders values (1, 'tea', 10)`)
    const [row] = await rows<{ text: string }>(
      `select new_values::text as text from akashi_audit.audit_logs where table_name = 'orders' order by seq desc limit 1`,
    )
    expect(row?.text).not.toContain('tea')
    const end = await admin.send('POST', '/v1/audit/protections/public.orders/end', { reason })
    expect(end.statusCode).toBe(204)
    const exempt = await admin.send('PUT', '/v1/audit/exemptions/public.orders', { reason: 'a copy' })
    expect(exempt.statusCode).toBe(204)
    expect(await state()).toMatchObject({ state: 'exempt', reason: 'a copy' })
  })

  it('tells its losses, until somebody says what became of them', async () => {
    await rows(
      `insert into akashi_audit.losses (schema_name, table_name, operation, row_count, sqlstate, message)
       values ('public', 'orders', 'INSERT', 3, '53100', 'disk full')`,
    )
    expect((await admin.send('GET', '/v1/audit/losses')).json().losses).toMatchObject([
      { table: 'public.orders', statements: 1, rows: 3, message: 'disk full' },
    ])
    const settle = (explanation: string) => admin.send('POST', '/v1/audit/losses/settle', { explanation })
    expect((await settle('')).statusCode).toBe(400)
    expect((await settle('the disk was full; rows were entered again')).json()).toEqual({ settled: 1 })
    expect((await admin.send('GET', '/v1/audit/losses')).json()).toEqual({ losses: [] })
  })

  it('has verifier keys, witnesses and verifications', async () => {
    await ledger.seal()
    const { keys: shown } = (await admin.send('GET', '/v1/verifier-keys')).json()
    expect(shown.map(({ purpose }: { purpose: string }) => purpose)).toContain('erasure')
    expect(shown[0]).toMatchObject({ key: expect.stringContaining('+') })
    expect((await admin.send('GET', '/v1/witnesses')).json()).toEqual({ witnesses: [] })
    const trusted = await admin.send('POST', '/v1/witnesses', { url: 'ftp://w', key: 'none', reason })
    expect(trusted.statusCode).toBe(400)
    expect((await admin.send('POST', '/v1/witnesses/forget', { name: 'nobody', reason })).statusCode).toBe(
      404,
    )
    await rows(
      `insert into akashi_audit.verifications (started_at, mode, ok, report) select now() - n * interval '1 hour', 'full', n > 1,
         jsonb_build_object('logs', jsonb_build_array(jsonb_build_object('log', 'audit_logs', 'size', '3', 'checked', 3, 'retired', 0,
           'problems', jsonb_build_array(jsonb_build_object('kind', 'changed', 'position', '1', 'id', 'x', 'detail', 'differs')))))
       from generate_series(1, 2) n`,
    )
    const first = (await admin.send('GET', '/v1/verifications?limit=1')).json()
    expect(first.rows).toMatchObject([
      {
        mode: 'full',
        logs: [{ log: 'audit_logs', checked: 3, problems: 1 }],
        problems: [{ kind: 'changed' }],
      },
    ])
    const second = (await admin.send('GET', `/v1/verifications?limit=1&cursor=${first.next}`)).json()
    expect(second).toMatchObject({ rows: [{ mode: 'full' }], next: null })
    expect(await asReader('POST', '/v1/verifications', { mode: 'full' })).toBe(403)
    const asked = await admin.send('POST', '/v1/verifications', { mode: 'scrub' })
    expect(asked.json()).toMatchObject({ runs: '/v1/jobs/verify-scrub/runs' })
  })

  it('lists partitions with rows, bytes and state, and holds with what happened', async () => {
    const { tables } = (
      await admin.send('GET', '/v1/archive/partitions?table=akashi_audit.audit_logs')
    ).json()
    expect(tables).toMatchObject([{ table: 'akashi_audit.audit_logs', interval: 'month', alarm: false }])
    const states = tables[0].partitions.map(({ state }: { state: string }) => state)
    expect(new Set(states)).toEqual(new Set(['open', 'future']))
    expect(tables[0].partitions[0].bytes).toBeGreaterThan(0)
    const hold = (held: boolean) =>
      admin.send('PUT', '/v1/archive/holds/akashi_audit.audit_logs', { held, reason })
    expect((await hold(true)).statusCode).toBe(200)
    expect((await hold(false)).statusCode).toBe(200)
    const { holds } = (await admin.send('GET', '/v1/archive/holds')).json()
    expect(holds).toMatchObject([
      {
        table: 'akashi_audit.audit_logs',
        held: false,
        history: [
          { action: 'release', reason },
          { action: 'hold', reason },
        ],
      },
    ])
  })

  it('keeps every change of a remediation', async () => {
    const sent = await admin.send('POST', '/v1/events', {
      event_type: 'coupon_guessed',
      event_category: 'data_access',
      severity: 'medium',
      source_service: 'shop',
      created_at: new Date().toISOString(),
    })
    expect(sent.statusCode).toBe(200)
    const { rows: found } = (await admin.send('GET', '/v1/events?type=coupon_guessed')).json()
    const path = `/v1/events/${found[0].id}`
    expect((await admin.send('GET', `${path}/remediation`)).json()).toMatchObject({
      status: 'open',
      changes: [],
    })
    await admin.send('PATCH', path, { status: 'in_progress' })
    await admin.send('PATCH', path, { status: 'resolved', notes: 'a test' })
    const told = (await admin.send('GET', `${path}/remediation`)).json()
    expect(told).toMatchObject({ status: 'resolved', notes: 'a test' })
    expect(told.changes.map(({ status }: { status: string }) => status)).toEqual(['in_progress', 'resolved'])
    expect((await admin.send('GET', `/v1/events/${crypto.randomUUID()}/remediation`)).statusCode).toBe(404)
  })
})

describe('the keyring', () => {
  it('shows no secret, and rotates with a reason', async () => {
    await keys.keyring.ensure('report')
    const before = (await admin.send('GET', '/v1/keys')).json()
    expect(before.keys.length).toBeGreaterThan(0)
    expect(Object.keys(before.keys[0]).sort()).toEqual(
      ['ageDays', 'algorithm', 'createdAt', 'id', 'limitDays', 'purpose', 'state'].sort(),
    )
    expect(await asReader('POST', '/v1/keys/rotations', { purpose: 'report', reason })).toBe(403)
    expect((await admin.send('POST', '/v1/keys/rotations', { purpose: 'person', reason })).statusCode).toBe(
      400,
    )
    const rotated = await admin.send('POST', '/v1/keys/rotations', { purpose: 'report', reason })
    expect(rotated.json()).toMatchObject({ purpose: 'report', resumed: false, conflicts: [] })
    const after = (await admin.send('GET', '/v1/keys')).json()
    expect(after.keys.find(({ id }: { id: string }) => id === rotated.json().keyId)).toMatchObject({
      state: 'active',
    })
    expect(await recorded('key_rotated')).toMatchObject({ detail: { purpose: 'report', reason } })
  })
})

describe('a restore of one table', () => {
  const brought = { table: 'public.orders', rows: 2 } as unknown as TableRestored
  const begin = () => admin.send('POST', '/v1/restores', { table: 'public.orders', at: 'latest', diff: true })
  const read = async (id: string) => (await admin.send('GET', `/v1/restores/${id}`)).json()
  const ended = async (id: string) => {
    for (;;) {
      const run = await read(id)
      if (run.state !== 'running') return run
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  it('is followed while it runs, and tells what it brought or why it failed', async () => {
    const gate = Promise.withResolvers<void>()
    restoring = async (_, onPhase) => {
      onPhase('recover')
      await gate.promise
      throw new Error('the moment cannot be restored')
    }
    const begun = await begin()
    expect(begun.statusCode).toBe(202)
    expect(await read(begun.json().id)).toMatchObject({
      state: 'running',
      table: 'public.orders',
      diff: true,
    })
    gate.resolve()
    expect(await ended(begun.json().id)).toMatchObject({
      state: 'failed',
      message: 'the moment cannot be restored',
      result: null,
    })
    restoring = async () => ({
      ...brought,
      into: null,
      target: 'latest',
      reachedTime: null,
      reachedLsn: '0/1',
      bytes: 1,
      walBytes: 1,
      chain: [],
      difference: null,
      applied: null,
      foreignKeys: [],
      sequences: [],
      notes: [],
    })
    const again = await begin()
    expect(await ended(again.json().id)).toMatchObject({ state: 'done', result: { rows: 2 } })
    const { rows: listed } = (await admin.send('GET', '/v1/restores')).json()
    expect(listed.map(({ state }: { state: string }) => state)).toEqual(['done', 'failed'])
    expect(listed[0]).not.toHaveProperty('result')
  })

  it('is cancelled by anybody who may restore, and refused while others run', async () => {
    restoring = (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
    const first = (await begin()).json().id
    const second = (await begin()).json().id
    expect((await begin()).statusCode).toBe(429)
    for (const id of [first, second]) {
      expect((await other.send('DELETE', `/v1/restores/${id}`)).statusCode).toBe(202)
      expect(await ended(id)).toMatchObject({ state: 'cancelled', cancelRequested: true })
    }
    expect((await other.send('DELETE', `/v1/restores/${first}`)).statusCode).toBe(404)
  })

  it('of a process that died is not shown as running for ever', async () => {
    const [dead] = await rows<{ id: string }>(
      `insert into akashi_lifecycle.restores (table_name, target, diff, requested_by, process, seen_at)
       values ('public.orders', 'latest', true, 'x', 'gone', now() - interval '2 minutes') returning id`,
    )
    expect(await read(dead?.id ?? '')).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('died'),
    })
  })

  it('finds its restore points', async () => {
    expect(
      (await admin.send('POST', '/v1/backups/points', { name: 'before the migration' })).statusCode,
    ).toBe(201)
    expect((await admin.send('GET', '/v1/backups/points')).json().points).toMatchObject([
      { name: 'before the migration', lsn: '0/16B3748' },
    ])
  })
})

describe('saved queries', () => {
  it('are one’s own unless they are shared, and changed by their owner alone', async () => {
    const query = { name: 'events a day', sql: 'select 1' }
    const made = await admin.send('POST', '/v1/query/saved', query)
    expect(made.statusCode).toBe(201)
    expect((await admin.send('POST', '/v1/query/saved', query)).statusCode).toBe(409)
    expect((await other.send('GET', '/v1/query/saved')).json()).toEqual({ queries: [] })
    const path = `/v1/query/saved/${made.json().id}`
    expect((await other.send('DELETE', path)).statusCode).toBe(404)
    const change = { ...query, sql: 'select 2', shared: true }
    expect((await admin.send('PUT', path, change)).statusCode).toBe(204)
    expect((await other.send('GET', '/v1/query/saved')).json().queries).toMatchObject([
      { sql: 'select 2', own: false },
    ])
    expect((await other.send('PUT', path, { ...change, sql: 'select 3' })).statusCode).toBe(404)
    expect((await other.send('DELETE', path)).statusCode).toBe(404)
    expect((await admin.send('DELETE', path)).statusCode).toBe(204)
    expect((await admin.send('GET', '/v1/query/saved')).json()).toEqual({ queries: [] })
  })
})

it('doctor and cost are told to those who watch', async () => {
  expect((await admin.send('GET', '/v1/doctor')).json()).toMatchObject({
    score: 80,
    checks: [{ name: 'disk' }],
  })
  const { months, totals } = (await admin.send('POST', '/v1/cost', { preset: 's4' })).json()
  expect(months).toHaveLength(60)
  expect(Math.round(totals.keep)).toBe(328_680)
  const wrong = await admin.send('POST', '/v1/cost', { assumptions: { retentionDays: 1 } })
  expect(wrong.statusCode).toBe(400)
  expect(await asReader('POST', '/v1/cost', {})).toBe(403)
})
