import { beforeAll, expect, it } from 'vitest'
import { createApiKey } from '../../src/identity/index.ts'
import { runArchive } from '../../src/lifecycle/index.ts'
import { makeUser } from '../identity/people.ts'
import { testServer } from '../identity/server.ts'
import { insertEvents, testStore } from '../lifecycle/support/archive.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { overSocket } from './client.ts'

const database = testDatabase()
const worker = database.open('worker')
const application = database.open('app')
const ledger = testLedger(worker)
const cold = testStore()
const server = testServer(database)
const keys = { read: '', write: '', other: '' }
let app: ReturnType<typeof server.app>
let userId: string

beforeAll(async () => {
  const user = await makeUser(database, 'sys_admin')
  userId = user.userId
  const scopes = {
    read: ['archive:read', 'lifecycle:read'],
    write: ['archive:read', 'archive:write', 'lifecycle:write'],
    other: ['query:read'],
  }
  for (const name of ['read', 'write', 'other'] as const) {
    const { key } = await createApiKey(application, user, { name, scopes: scopes[name] })
    keys[name] = key
  }
  app = server.app({}, { store: cold.store })
  await insertEvents(worker, '2016-06-10', 30)
  await ledger.seal()
  await runArchive(worker, tester, cold.store, {
    table: { schema: 'akashi_security', table: 'security_events' },
  })
})

function ask(
  as: keyof typeof keys,
  method: 'GET' | 'PATCH' | 'POST' | 'PUT',
  path: string,
  payload?: object,
) {
  return overSocket(app, {
    method,
    url: `/v1/archive${path}`,
    headers: { host: 'localhost', authorization: `Bearer ${keys[as]}` },
    ...(payload === undefined ? {} : { payload }),
  })
}

const TABLE = 'akashi_security.security_events'

it('lists policies, and changes them for whoever may, with the trail saying who', async () => {
  const { policies } = (await ask('read', 'GET', '/policies')).json<{ policies: { table: string }[] }>()
  expect(policies.map(({ table }) => table)).toContain(TABLE)
  const changed = await ask('write', 'PATCH', `/policies/${TABLE}`, { hot: '100 days', reason: 'ticket 31' })
  expect([changed.statusCode, changed.json()]).toMatchObject([200, { hot: 'P100D', changedBy: userId }])
  const { rows } = await database.asSuperuser((session) =>
    session.query(`select user_id, context_verified as verified, detail -> 'changes' as changes from akashi_audit.audit_logs
      where event_type = 'lifecycle_policy' and detail ->> 'reason' = 'ticket 31'`),
  )
  expect(rows).toEqual([{ user_id: userId, verified: true, changes: { hot_retention: '100 days' } }])
})

it('refuses policies that contradict themselves, tables that have none, and whoever may not', async () => {
  const reason = 'ticket 32'
  const status = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).statusCode
  expect(await status('write', 'PATCH', `/policies/${TABLE}`, { hot: '90 days' })).toBe(400)
  expect(await status('write', 'PATCH', `/policies/${TABLE}`, { hot: '90 days', reason: ' ' })).toBe(400)
  expect(await status('write', 'PATCH', `/policies/${TABLE}`, { total: '1 day', reason })).toBe(400)
  expect(await status('write', 'PATCH', `/policies/${TABLE}`, { ahead: 3, reason })).toBe(400)
  expect(await status('write', 'PATCH', `/policies/${TABLE}`, { legalHold: false, reason })).toBe(400)
  expect(await status('write', 'PATCH', '/policies/auth.users', { hot: '1 day', reason })).toBe(404)
  expect(await status('read', 'PATCH', `/policies/${TABLE}`, { hot: '100 days', reason })).toBe(403)
  expect(await status('other', 'GET', '/policies')).toBe(403)
  expect(await status('read', 'POST', '/thaw', {})).toBe(403)
})

it('says what the end of the total retention would delete', async () => {
  const { tables } = (await ask('read', 'GET', '/retirement')).json<{ tables: object[] }>()
  expect(tables).toMatchObject([
    { table: TABLE, partition: 'security_events_p20160610', action: 'retire', rows: 30 },
  ])
  const early = await ask('read', 'GET', '/retirement?asOf=2017-01-01T00:00:00Z')
  expect(early.json()).toEqual({ tables: [] })
})

it('answers no object to thaw where none is frozen', async () => {
  const response = await ask('write', 'POST', '/thaw', { table: TABLE, from: '2016-01-01T00:00:00Z' })
  expect([response.statusCode, response.json()]).toEqual([202, { objects: [] }])
})

it('asks the workers for a run of the archive, with the trail saying who', async () => {
  const response = await ask('write', 'POST', '/runs')
  expect([response.statusCode, response.json()]).toEqual([202, { requestedAt: expect.any(String) }])
  const { rows } = await database.asSuperuser((session) =>
    session.query(`select record_id as job, user_id, context_verified as verified, api_endpoint as endpoint from akashi_audit.audit_logs
      where table_name = 'jobs' and 'requested_at' = any (changed_fields) order by seq`),
  )
  const asked = { user_id: userId, verified: true, endpoint: 'POST /v1/archive/runs' }
  expect(rows).toEqual([
    { job: 'archive-export', ...asked },
    { job: 'archive-expire', ...asked },
  ])
})

it('copies a part of a table to a destination, and says what is stored of each tenant', async () => {
  const path = `/copy-policies/${TABLE}`
  const policy = { tenant: 'tenant-a', destination: 'cold', total: '3 years', reason: 'ticket 40' }
  const made = await ask('write', 'PUT', path, policy)
  expect([made.statusCode, made.json()]).toMatchObject([
    200,
    {
      table: TABLE,
      tenant: 'tenant-a',
      class: null,
      destination: 'cold',
      total: 'P3Y',
      endedAt: null,
      changedBy: userId,
    },
  ])
  const status = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).statusCode
  expect(await status('read', 'PUT', path, policy)).toBe(403)
  expect(await status('write', 'PUT', path, { ...policy, reason: '' })).toBe(400)
  expect(await status('write', 'PUT', path, { ...policy, destination: 's3://mine' })).toBe(400)
  expect(await status('write', 'PUT', '/copy-policies/akashi_auth.users', policy)).toBe(404)
  expect(await status('other', 'GET', '/tenants')).toBe(403)
  expect(await status('other', 'GET', '/copies')).toBe(403)
  const ended = await ask('write', 'PUT', path, { ...policy, total: null })
  expect(ended.json()).toMatchObject({ endedAt: expect.any(String) })
  const { policies } = (await ask('read', 'GET', '/copy-policies')).json<{ policies: object[] }>()
  expect(policies).toMatchObject([{ tenant: 'tenant-a', endedAt: expect.any(String) }])
  expect((await ask('read', 'GET', '/copies')).json()).toEqual({ copies: [] })
  const { tenants } = (await ask('read', 'GET', '/tenants?tenant=tenant-b')).json<{ tenants: object[] }>()
  expect(tenants).toMatchObject([{ table: TABLE, archivedRows: 10, class: 'authentication' }])
})
