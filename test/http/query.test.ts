import { rm } from 'node:fs/promises'
import { request } from 'node:http'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { createApiKey } from '../../src/identity/index.ts'
import { runArchive } from '../../src/lifecycle/index.ts'
import { makeUser } from '../identity/people.ts'
import { testServer } from '../identity/server.ts'
import { insertEvents, testStore } from '../lifecycle/support/archive.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { overSocket, portOf } from './client.ts'

const database = testDatabase()
const worker = database.open('worker')
const application = database.open('app')
const ledger = testLedger(worker)
const cold = testStore()
const server = testServer(database)
const auditor = { host: 'localhost', authorization: '' }
const other = { host: 'localhost', authorization: '' }
let app: ReturnType<typeof server.app>
let userId: string

beforeAll(async () => {
  const user = await makeUser(database, 'security_admin')
  const { key } = await createApiKey(application, user, {
    name: 'query',
    scopes: ['query:read', 'events:read', 'audit_logs:read'],
  })
  auditor.authorization = `Bearer ${key}`
  const without = await createApiKey(application, user, { name: 'events', scopes: ['events:read'] })
  other.authorization = `Bearer ${without.key}`
  userId = user.userId
  app = server.app({}, { store: cold.store })
  await insertEvents(worker, '2024-06-10', 30)
  await ledger.seal()
  await runArchive(worker, tester, cold.store, {
    table: { schema: 'akashi_security', table: 'security_events' },
  })
  await insertEvents(worker, new Date().toISOString().slice(0, 10), 3)
  return () => rm(`${cold.folder}-cache`, { recursive: true, force: true })
})

function ask(payload: object, headers: object = auditor) {
  return overSocket(app, { method: 'POST', url: '/v1/query', headers: { ...headers }, payload })
}

/** An answer of which nothing is read after its headers, until `end`. */
async function unread(payload: object): Promise<{ readonly status: number; readonly end: () => void }> {
  const port = await portOf(app)
  return await new Promise((resolve, reject) => {
    const headers = { ...auditor, 'content-type': 'application/json' }
    const sent = request(
      { host: '127.0.0.1', port, method: 'POST', path: '/v1/query', agent: false, headers },
      (answer) => resolve({ status: answer.statusCode ?? 0, end: () => void answer.destroy() }),
    )
    sent.on('error', reject)
    sent.end(JSON.stringify(payload))
  })
}

describe('POST /v1/query', () => {
  it('answers columns, rows, and where they came from', async () => {
    const response = await ask({
      sql: "select count(*) as n from security_events where event_type = 'login_failure'",
    })
    expect(response.statusCode).toBe(200)
    expect(response.json()).toMatchObject({
      columns: ['n'],
      types: ['BIGINT'],
      rows: [[33]],
      hot: 3,
      truncated: false,
    })
    expect(response.json()).toHaveProperty('files.length', 1)
  })

  it('records who read', async () => {
    await ask({ sql: 'select id from security_events limit 1', reason: 'case 18' })
    const rows = await database.asSuperuser(async (session) => {
      const found = await session.query<{ user_id: string; verified: boolean }>(
        `select user_id, context_verified as verified from akashi_audit.audit_logs where detail ->> 'reason' = 'case 18'`,
      )
      return found.rows
    })
    expect(rows).toEqual([{ user_id: userId, verified: true }])
  })

  it('refuses whoever may not read whole tables, and whatever is no query', async () => {
    expect((await ask({ sql: 'select 1' }, other)).statusCode).toBe(403)
    expect((await ask({ sql: 'select 1' }, { host: 'localhost' })).statusCode).toBe(401)
    expect((await ask({ sql: "copy (select 1) to '/tmp/x'" })).statusCode).toBe(403)
    expect((await ask({ sql: 'select * from akashi_auth.users' })).statusCode).toBe(400)
    expect((await ask({ sql: 'select 1', rows: 0 })).statusCode).toBe(400)
    expect(
      (await ask({ sql: 'select count(*) from range(1000000000) a, range(100000) b', seconds: 1 }))
        .statusCode,
    ).toBe(504)
  })

  it('answers CSV and Parquet as files', async () => {
    const csv = await ask({ sql: "select 1 as a, null as b, 'x\"y' as c", format: 'csv' })
    expect(csv.headers['content-type']).toBe('text/csv; charset=utf-8')
    expect(csv.body).toBe('a,b,c\r\n1,,"x""y"\r\n')
    const parquet = await ask({ sql: 'select id, created_at from security_events', format: 'parquet' })
    expect(parquet.statusCode).toBe(200)
    expect(parquet.bytes.subarray(0, 4).toString()).toBe('PAR1')
  })

  it('gives out so many files that nobody fetched, and answers queries meanwhile', async () => {
    const file = { sql: 'select repeat(md5(i::varchar), 300) as text from range(800) t(i)', format: 'csv' }
    // Answers whose bodies nobody reads: their files stay on the disk.
    const open = await Promise.all([0, 1].map(() => unread(file)))
    open.push(...(await Promise.all([0, 1].map(() => unread(file)))))
    expect(open.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect((await ask(file)).statusCode).toBe(429)
    expect((await ask({ sql: 'select 1' })).statusCode).toBe(200)
    for (const { end } of open) end()
    await vi.waitFor(async () => expect((await ask(file)).statusCode).toBe(200), 30_000)
  })

  it('lets in so many at once', async () => {
    const slow = { sql: 'select count(*) from range(1000000000) a, range(100000) b', seconds: 2 }
    const answers = await Promise.all([ask(slow), ask(slow), ask(slow)])
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([429, 504, 504])
  })
})
