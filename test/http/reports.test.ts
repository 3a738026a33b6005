import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readEvidenceFile, verifyEvidence } from '@akashi/client/evidence'
import type { PermissionName } from '@akashi/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/foundation/index.ts'
import { createApiKey } from '../../src/identity/index.ts'
import { openKeyring } from '../../src/keys/index.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import type { PersonInSession } from '../../src/postgres/index.ts'
import { makeReport } from '../../src/report/index.ts'
import { makeUser } from '../identity/people.ts'
import { testServer } from '../identity/server.ts'
import { testDatabase } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { overSocket } from './client.ts'

const database = testDatabase()
const securityAdmin = database.open('security_admin')
const worker = database.open('worker')
const server = testServer(database)
const ledger = testLedger(worker)
const maker = { host: 'localhost', authorization: '' }
const reader = { host: 'localhost', authorization: '' }
const sharing = { host: 'localhost', authorization: '' }
/** May share, but may not read security events. */
const partly = { host: 'localhost', authorization: '' }
let sharer: PersonInSession
let folder = ''
let app: ReturnType<typeof server.app>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-reports-'))
  const keyring = await openKeyring(pathToFileURL(join(folder, 'keys')).href)
  const store = await openObjectStore(pathToFileURL(join(folder, 'objects')).href)
  const user = await makeUser(database, 'sys_admin')
  sharer = user
  // One administrator has to be left while the sharer is suspended.
  await makeUser(database, 'sys_admin')
  const open = database.open('app')
  const key = async (name: string, scopes: readonly PermissionName[]) =>
    `Bearer ${(await createApiKey(open, user, { name, scopes: [...scopes] })).key}`
  maker.authorization = await key('maker', ['reports:read', 'reports:write'])
  reader.authorization = await key('reader', ['reports:read'])
  const reading: PermissionName[] = ['ledger:read', 'audit_logs:read', 'events:read', 'reports:read']
  sharing.authorization = await key('sharing', ['evidence:read', 'evidence:write', ...reading])
  partly.authorization = await key('partly', ['evidence:write', 'ledger:read', 'audit_logs:read'])
  app = server.app(
    {},
    {
      store,
      keyring: ledger.keyring,
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

describe('an evidence link', () => {
  const period = { from: '2026-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' }
  const wanted = { logs: ['audit_logs'], ...period, days: 7, reason: 'the yearly audit' }
  const call = (method: string, url: string, headers: object, payload?: object) =>
    overSocket(app, { method, url: `/v1${url}`, headers, ...(payload === undefined ? {} : { payload }) })

  async function link(body: object = {}): Promise<{ readonly id: string; readonly token: string }> {
    const made = await call('POST', '/evidence/links', sharing, { ...wanted, ...body })
    expect(made.statusCode, made.body).toBe(201)
    const { id, path } = made.json<{ id: string; path: string }>()
    return { id, token: path.replace('/evidence#', '') }
  }

  async function opened(token: string): Promise<Record<string, string>> {
    const answer = await call('POST', '/evidence-room/session', { host: 'localhost' }, { token })
    expect(answer.statusCode, answer.body).toBe(204)
    const [cookie] = answer.cookies
    expect(answer.headers['set-cookie']?.[0]).toMatch(
      /^__Host-akashi-evidence=.*HttpOnly; Secure; SameSite=Strict/,
    )
    return { host: 'localhost', cookie: `${cookie?.name}=${cookie?.value}`, 'x-akashi-request': '1' }
  }

  const refused = async (token: string) => {
    const { statusCode, body } = await call(
      'POST',
      '/evidence-room/session',
      { host: 'localhost' },
      { token },
    )
    const { title, detail, hint } = JSON.parse(body)
    return { statusCode, title, detail, hint }
  }

  it('shows what it was made for, and nothing else that there is', async () => {
    const { reports } = (await ask('GET', '', reader)).json<{ reports: { id: string }[] }>()
    const report = reports[0]?.id ?? ''
    await ledger.seal()
    const { token } = await link({ reports: [report] })
    const holder = await opened(token)
    const scope = await call('GET', '/evidence-room', holder)
    expect(scope.json()).toMatchObject({ logs: ['audit_logs'], reports: [{ id: report }] })
    expect(scope.body).not.toContain('the yearly audit')
    const file = await call('GET', '/evidence-room/file', holder)
    expect(file.headers['content-disposition']).toMatch(/^attachment; filename="evidence-/)
    const found = readEvidenceFile(file.body)
    const checked = await verifyEvidence(found?.document ?? '', found?.note ?? '')
    expect(checked).toMatchObject({ verdict: 'signed', problems: [] })
    expect(new Set(checked.parts.map(({ log }) => log))).toEqual(new Set(['audit_logs']))
    expect((await call('GET', `/evidence-room/reports/${report}/file`, holder)).statusCode).toBe(200)
    const other = await ask('POST', '', maker, { month: '2026-03' })
    const { id } = other.json<{ id: string }>()
    expect((await call('GET', `/evidence-room/reports/${id}/file`, holder)).statusCode).toBe(404)
    const routes = app.accessTable.filter(({ access }) => !('public' in access || 'link' in access))
    for (const { method, url } of routes) {
      const path = url.replaceAll(/:\w+/g, 'x').replace('*', 'x').slice('/v1'.length)
      expect((await call(method, path, holder)).statusCode, `${method} ${url}`).toBe(401)
    }
  })

  it('is read under its own name in the trail, at each look', async () => {
    const { id, token } = await link()
    const holder = await opened(token)
    for (const path of ['', '/file']) await call('GET', `/evidence-room${path}`, holder)
    const { rows } = await database.asSuperuser((session) =>
      session.query(
        `select distinct api_endpoint as endpoint, resource from akashi_audit.audit_logs
         where event_type = 'data_access' and subject = $1 order by 1`,
        [`evidence-link:${id}`],
      ),
    )
    expect(rows).toEqual([
      { endpoint: 'GET /v1/evidence-room', resource: 'evidence_link' },
      { endpoint: 'GET /v1/evidence-room/file', resource: 'akashi_audit.audit_logs' },
    ])
    const { links } = (await call('GET', '/evidence/links', sharing)).json<{ links: object[] }>()
    expect(links).toContainEqual(expect.objectContaining({ id, open: true, opened: 1 }))
  })

  it('answers alike once it is revoked, has expired, was never there, or its sharer may not read that any more', async () => {
    const unknown = await refused('x'.repeat(43))
    expect(unknown.statusCode).toBe(404)
    expect(await refused('')).toEqual(unknown)
    const revoked = await link()
    const holder = await opened(revoked.token)
    const body = { reason: 'sent to the wrong person' }
    expect((await call('POST', `/evidence/links/${revoked.id}/revoke`, sharing, body)).statusCode).toBe(204)
    expect(await refused(revoked.token)).toEqual(unknown)
    expect((await call('GET', '/evidence-room/file', holder)).statusCode).toBe(401)
    const expired = await link()
    const late = await opened(expired.token)
    await database.asSuperuser((session) =>
      session.query(
        `update akashi_security.evidence_links set created_at = now() - interval '2 days', expires_at = now() - interval '1 second' where id = $1`,
        [expired.id],
      ),
    )
    expect(await refused(expired.token)).toEqual(unknown)
    expect((await call('GET', '/evidence-room', late)).statusCode).toBe(401)
    const borrowed = await link()
    const orphan = await opened(borrowed.token)
    const status = (active: string) =>
      database.asSuperuser((session) =>
        session.query('update akashi_auth.users set account_status = $2 where id = $1', [
          sharer.userId,
          active,
        ]),
      )
    await status('suspended')
    expect(await refused(borrowed.token)).toEqual(unknown)
    expect((await call('GET', '/evidence-room', orphan)).statusCode).toBe(401)
    await status('active')
    expect((await call('GET', '/evidence-room', orphan)).statusCode).toBe(200)
    const { rows } = await database.asSuperuser((session) =>
      session.query(
        `select resource_id from akashi_audit.audit_logs where event_type = 'evidence_link' and result = 'FAILURE' order by created_at`,
      ),
    )
    expect(rows).toEqual([revoked, expired, borrowed].map(({ id }) => ({ resource_id: id })))
  })

  it('shows no more than its sharer may read, and lasts no longer than 30 days', async () => {
    const share = async (by: object, body: object) =>
      (await call('POST', '/evidence/links', by, { ...wanted, ...body })).statusCode
    expect(await share(partly, {})).toBe(201)
    expect(await share(partly, { logs: ['audit_logs', 'security_events'] })).toBe(403)
    expect(await share(partly, { reports: ['01a1fcaf-f856-75ab-8ad8-d94f882b5122'] })).toBe(403)
    expect(await share(reader, {})).toBe(403)
    expect(await share(sharing, { reports: ['01a1fcaf-f856-75ab-8ad8-d94f882b5122'] })).toBe(404)
    expect(await share(sharing, { days: 31 })).toBe(400)
    expect(await share(sharing, { reason: ' ' })).toBe(400)
    expect(await share(sharing, { from: period.to, to: period.from })).toBe(400)
    expect(
      (await call('POST', `/evidence/links/${sharer.userId}/revoke`, sharing, { reason: 'x' })).statusCode,
    ).toBe(404)
  })

  it('keeps its token out of the database, and out of what other pages can send', async () => {
    const { token } = await link()
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ found: boolean }>(
        `select exists (select from akashi_security.evidence_links l where l::text like '%' || $1 || '%')
             or exists (select from akashi_audit.audit_logs a where a::text like '%' || $1 || '%') as found`,
        [token],
      ),
    )
    expect(rows).toEqual([{ found: false }])
    const holder = await opened(token)
    const foreign = { ...holder, 'sec-fetch-site': 'cross-site' }
    expect((await call('DELETE', '/evidence-room/session', foreign)).statusCode).toBe(403)
    expect((await call('DELETE', '/evidence-room/session', holder)).statusCode).toBe(204)
    expect((await call('GET', '/evidence-room', holder)).statusCode).toBe(401)
  })
})
