import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/foundation/index.ts'
import { createApiKey } from '../../src/identity/index.ts'
import { openKeyring } from '../../src/keys/index.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import { makeReport } from '../../src/report/index.ts'
import { makeUser } from '../identity/people.ts'
import { testServer } from '../identity/server.ts'
import { testDatabase } from '../support/index.ts'
import { overSocket } from './client.ts'

const database = testDatabase()
const securityAdmin = database.open('security_admin')
const worker = database.open('worker')
const server = testServer(database)
const maker = { host: 'localhost', authorization: '' }
const reader = { host: 'localhost', authorization: '' }
let folder = ''
let app: ReturnType<typeof server.app>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-reports-'))
  const keyring = await openKeyring(pathToFileURL(join(folder, 'keys')).href)
  const store = await openObjectStore(pathToFileURL(join(folder, 'objects')).href)
  const user = await makeUser(database, 'sys_admin')
  const open = database.open('app')
  const key = async (name: string, scopes: readonly ('reports:read' | 'reports:write')[]) =>
    `Bearer ${(await createApiKey(open, user, { name, scopes: [...scopes] })).key}`
  maker.authorization = await key('maker', ['reports:read', 'reports:write'])
  reader.authorization = await key('reader', ['reports:read'])
  app = server.app(
    {},
    {
      store,
      makeReport: (actor, month, signal) =>
        makeReport(
          {
            securityAdmin,
            worker,
            keyring,
            store,
            app: { name: 'shop', version: '1', tier: 'system', environment: 'prod' },
            clock: systemClock,
            actor,
            signal,
          },
          month,
        ),
    },
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const ask = (method: 'GET' | 'POST', path: string, headers: object, payload?: object) =>
  overSocket(app, {
    method,
    url: `/v1/reports${path}`,
    headers: { ...headers },
    ...(payload === undefined ? {} : { payload }),
  })

describe('compliance reports over HTTP', () => {
  it('are made, listed, read and downloaded as they were signed', async () => {
    const made = await ask('POST', '', maker, { month: '2026-02' })
    expect(made.statusCode).toBe(201)
    const { id, createdBy } = made.json<{ id: string; createdBy: string }>()
    expect(createdBy).toMatch(/^[\da-f-]{36}$/)
    const { reports } = (await ask('GET', '?month=2026-02', reader)).json<{ reports: { id: string }[] }>()
    expect(reports.map((one) => one.id)).toEqual([id])
    expect((await ask('GET', '?month=2026-03', reader)).json()).toEqual({ reports: [] })
    const whole = await ask('GET', `/${id}`, reader)
    expect(whole.json()).toMatchObject({ id, month: '2026-02', document: { month: '2026-02', version: 1 } })
    const page = await ask('GET', `/${id}/file?format=html&lang=en`, reader)
    expect(page.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-disposition': 'attachment; filename="2026-02-report.en.html"',
    })
    expect(page.body).toContain('<html lang="en">')
    expect((await ask('GET', `/${id}/file`, reader)).body).toContain('<html lang="ja">')
    const { rows: readings } = await database.asSuperuser((session) =>
      session.query(
        `select distinct api_endpoint as endpoint from akashi_audit.audit_logs
         where event_type = 'data_access' and resource = 'compliance_reports' order by 1`,
      ),
    )
    expect(readings).toEqual([{ endpoint: 'GET /v1/reports/:id' }, { endpoint: 'GET /v1/reports/:id/file' }])
  })

  it('refuse callers without the permission, and what does not exist', async () => {
    expect((await ask('POST', '', reader, {})).statusCode).toBe(403)
    expect((await ask('GET', '', { host: 'localhost' })).statusCode).toBe(401)
    expect((await ask('POST', '', maker, { month: '2026-13' })).statusCode).toBe(400)
    expect((await ask('GET', '/01a1fcaf-f856-75ab-8ad8-d94f882b5122', reader)).statusCode).toBe(404)
    expect(
      (await ask('GET', '/01a1fcaf-f856-75ab-8ad8-d94f882b5122/file?format=exe', reader)).statusCode,
    ).toBe(400)
  })
})
