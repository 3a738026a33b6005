/** What the trail keeps of requests that read it, and how requests are told apart in it. */
import type { TrailCounts } from '@akashi/contract'
import { beforeAll, describe, expect, it } from 'vitest'
import { testDatabase } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { testCallers } from './callers.ts'

const database = testDatabase()
const ledger = testLedger(database.open('worker'))
const { origin, ask, named, idOf, send } = testCallers(database)
const auditor = () => named('sys_auditor')

interface Access {
  readonly resource: string
  readonly resource_id: string | null
  readonly detail: { readonly asked: Record<string, unknown>; readonly records: readonly string[] }
}

/** What was recorded of the auditor's readings since the last call. */
let seen = '0'
async function accesses(): Promise<readonly Access[]> {
  const rows = await ask<Access & { seq: string }>(
    `select seq::text, resource, resource_id, detail from akashi_audit.audit_logs
     where event_type = 'data_access' and user_id = $1 and seq > $2 order by seq`,
    [idOf('sys_auditor'), seen],
  )
  seen = rows.at(-1)?.seq ?? seen
  return rows.map(({ seq: _, ...row }) => row)
}

interface Body {
  readonly rows: readonly { readonly id: string; readonly requestId: string }[]
  readonly version: { readonly id: string }
  readonly row: { readonly id: string }
}

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${origin()}${path}`, { headers: { ...auditor().headers, ...headers } })
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body }
}

beforeAll(async () => {
  await ledger.seal()
})

describe('reading the trail', () => {
  const subject = () => `akashi_auth/users/${idOf('a plain user')}`

  it('counts rows over time and by value, and records what was counted', async () => {
    const [day] = new Date().toISOString().split('T')
    const from = `${day}T00:00:00Z`
    const to = new Date(Date.parse(from) + 48 * 3_600_000).toISOString()
    await accesses()
    const response = await fetch(
      `${origin()}/v1/audit/counts?schema=akashi_auth&from=${from}&to=${to}&interval=6h`,
      { headers: auditor().headers },
    )
    const counts = (await response.json()) as TrailCounts
    expect(counts).toMatchObject({ complete: true, total: expect.any(Number) })
    expect(counts.buckets.map(({ at }) => Date.parse(at) - Date.parse(from))).toEqual(
      Array.from({ length: 8 }, (_, index) => index * 6 * 3_600_000),
    )
    expect(counts.buckets.reduce((sum, { count }) => sum + count, 0)).toBe(counts.total)
    const stored = await ask<{ value: string; count: number }>(
      `select schema_name || '.' || table_name as value, count(*)::integer as count from akashi_audit.audit_logs
       where schema_name = 'akashi_auth' and created_at >= $1 group by 1 order by 2 desc, 1 limit 10`,
      [from],
    )
    expect(counts.facets.find(({ name }) => name === 'table')?.values).toEqual(stored)
    expect(counts.total).toBeGreaterThan(0)
    const [access] = await accesses()
    expect(access?.detail.asked).toMatchObject({ schema: 'akashi_auth', counted: counts.total })
    for (const wrong of [
      `from=${to}&to=${from}&interval=6h`,
      `from=2020-01-01T00:00:00Z&to=${to}&interval=1m`,
    ]) {
      expect((await get(`/v1/audit/counts?${wrong}`)).status, wrong).toBe(400)
    }
  })

  it('records the filter of a search and the rows that it showed', async () => {
    const { body } = await get('/v1/audit/logs?table=users&operation=INSERT&limit=2')
    const ids = body.rows.map(({ id }) => id)
    expect(ids).toHaveLength(2)
    expect(await accesses()).toEqual([
      {
        resource: 'akashi_audit.audit_logs',
        resource_id: null,
        detail: { asked: { table: 'users', operation: 'INSERT' }, records: ids },
      },
    ])
  })

  it('records a search that finds nothing', async () => {
    await get('/v1/audit/logs?recordId=nobody')
    expect(await accesses()).toMatchObject([{ detail: { asked: { recordId: 'nobody' }, records: [] } }])
  })

  it('records the history of a record, and how it was', async () => {
    const { body: history } = await get(`/v1/audit/records/${subject()}`)
    const at = new Date().toISOString()
    const { body: asOf } = await get(`/v1/audit/records/${subject()}/as-of/${at}`)
    const asked = { schema: 'akashi_auth', table: 'users', recordId: idOf('a plain user') }
    expect((await accesses()).map(({ detail }) => detail)).toEqual([
      { asked, records: history.rows.map(({ id }) => id) },
      { asked: { ...asked, at }, records: [asOf.version.id] },
    ])
  })

  it.each([
    ['audit_logs', 'akashi_audit.audit_logs'],
    ['login_attempts', 'akashi_auth.login_attempts'],
  ])('records the proof of a row of %s', async (log, table) => {
    const [{ id } = { id: '' }] = await ask<{ id: string }>(
      `select id from ${table} order by created_at limit 1`,
    )
    const { status, body } = await get(`/v1/ledger/${log}/proofs/${id}`)
    expect([status, body.row.id]).toEqual([200, id])
    expect(await accesses()).toEqual([
      { resource: table, resource_id: id, detail: { asked: { proof: id }, records: [id] } },
    ])
  })

  it('records nothing where nothing was shown', async () => {
    const missing = '0199d3a0-0000-7000-8000-00000000dead'
    expect((await get(`/v1/ledger/login_attempts/proofs/${missing}`)).status).toBe(404)
    expect((await get('/v1/audit/logs?limit=0')).status).toBe(400)
    expect(
      (await get(`/v1/audit/records/akashi_auth/users/${missing}/as-of/${new Date().toISOString()}`)).status,
    ).toBe(404)
    expect(await accesses()).toEqual([])
  })

  it('records nothing of what somebody reads of their own actions', async () => {
    expect((await get('/v1/me/audit')).body.rows.length).toBeGreaterThan(0)
    expect(await accesses()).toEqual([])
  })
})

describe('what is recorded about a person', () => {
  const mine = async (path: string) => {
    const response = await fetch(`${origin()}/v1/me/audit${path}`, { headers: named('a plain user').headers })
    return { status: response.status, body: (await response.json()) as Own }
  }
  interface Own {
    readonly rows: readonly Record<string, unknown>[]
    readonly proof: { readonly row: { readonly id: string } }
    readonly keys: readonly string[]
  }

  it('is found by table and by day', async () => {
    const { body } = await mine('?schema=akashi_auth&table=user_sessions')
    expect(new Set(body.rows.map(({ table }) => table))).toEqual(new Set(['user_sessions']))
    expect((await mine('?from=2001-01-01T00:00:00Z&to=2001-02-01T00:00:00Z')).body.rows).toEqual([])
    expect((await mine('?from=yesterday')).status).toBe(400)
    expect((await mine('?by=nobody')).status).toBe(400)
  })

  it('has what others did, but not who did it, from where, or a legal hold', async () => {
    const id = idOf('a plain user')
    const admin = named('sys_admin')
    expect(
      (await send(admin, 'PATCH', `/v1/users/${id}`, { displayName: 'Named by another' })).status,
    ).toBeLessThan(300)
    await ask(`update akashi_auth.users set legal_hold = 'case 17' where id = $1`, [id])
    await ask('update akashi_auth.users set legal_hold = null where id = $1', [id])
    const { body } = await mine('?by=others&schema=akashi_auth&table=users')
    expect(body.rows[0]).toMatchObject({ operation: 'UPDATE', changedFields: ['display_name'] })
    expect(JSON.stringify(body.rows)).not.toMatch(/case 17|legal_hold/)
    for (const row of body.rows) {
      expect(row).toMatchObject({ userId: null, sessionId: null, ipAddress: null, userAgent: null })
      expect(JSON.stringify(row)).not.toContain(idOf('sys_admin'))
    }
    const everything = (await mine('?by=others&limit=500')).body.rows
    expect(new Set(everything.map(({ dataSubject }) => dataSubject))).toEqual(new Set([id]))
  })

  it('is erased at their request, which those who decide find among the events', async () => {
    const asked = () => send(named('a plain user'), 'GET', '/v1/me/erasure-request')
    expect(JSON.parse((await asked()).text)).toEqual({ request: null })
    const request = () =>
      send(named('a plain user'), 'POST', '/v1/me/erasure-request', { reason: 'I am leaving' })
    expect((await request()).status).toBe(204)
    expect((await request()).status).toBe(409)
    expect(JSON.parse((await asked()).text)).toMatchObject({ request: { state: 'waiting' } })
    const events = await send(named('security_admin'), 'GET', '/v1/events?type=erasure_requested')
    const { rows } = JSON.parse(events.text) as { rows: readonly { id: string; userId: string }[] }
    expect(rows).toMatchObject([{ userId: idOf('a plain user') }])
    const declined = await send(named('security_admin'), 'PATCH', `/v1/events/${rows[0]?.id}`, {
      status: 'suppressed',
    })
    expect(declined.status).toBe(200)
    expect(JSON.parse((await asked()).text)).toMatchObject({ request: { state: 'declined' } })
    expect((await request()).status).toBe(204)
    expect((await send(named('sys_operator'), 'GET', '/v1/me/erasure-request')).status).toBe(200)
  })

  it('is proven to whom it belongs, and to nobody else', async () => {
    await ledger.seal()
    const [row] = (await mine('?limit=1')).body.rows
    const { status, body } = await mine(`/${row?.['id']}/proof`)
    expect([status, body.proof.row.id]).toEqual([200, row?.['id']])
    expect(body.keys).toEqual(expect.any(Array))
    const [other] = await ask<{ id: string }>(
      'select id from akashi_audit.audit_logs where user_id = $1 limit 1',
      [idOf('sys_admin')],
    )
    expect((await mine(`/${other?.id}/proof`)).status).toBe(404)
    await accesses()
  })
})

describe('a correlation id', () => {
  const plain = () => named('a plain user')

  async function rename(displayName: string, correlationId: string) {
    const response = await fetch(`${origin()}/v1/me`, {
      method: 'PATCH',
      headers: { ...plain().headers, 'content-type': 'application/json', 'x-correlation-id': correlationId },
      body: JSON.stringify({ displayName }),
    })
    expect(response.status).toBe(204)
    return response.headers.get('x-correlation-id')
  }

  it('joins the rows of several requests, and is returned', async () => {
    expect(await rename('A', 'order:2027/7')).toBe('order:2027/7')
    expect(await rename('B', 'order:2027/7')).toBe('order:2027/7')
    await rename('C', 'another')
    const { rows } = (await get(`/v1/audit/logs?correlationId=${encodeURIComponent('order:2027/7')}`)).body
    expect(rows).toMatchObject([
      { table: 'users', operation: 'UPDATE', correlationId: 'order:2027/7' },
      { table: 'users', operation: 'UPDATE', correlationId: 'order:2027/7' },
    ])
    expect(new Set(rows.map(({ requestId }) => requestId)).size).toBe(2)
  })

  it.each(['a b', '<script>', 'x'.repeat(129), 'é', 'a,b'])(
    'is neither recorded nor returned: %s',
    async (id) => {
      expect(await rename(`D ${id.length}`, id)).toBeNull()
      expect(
        await ask(
          `select correlation_id from akashi_audit.audit_logs where table_name = 'users' and operation = 'UPDATE' order by seq desc limit 1`,
        ),
      ).toEqual([{ correlation_id: null }])
    },
  )

  it('is in the row of a reading, too', async () => {
    await accesses()
    expect((await send(auditor(), 'GET', '/v1/audit/logs?limit=1')).status).toBe(200)
    await get('/v1/audit/logs?limit=1', { 'x-correlation-id': 'case-17' })
    expect(
      await ask(
        `select correlation_id from akashi_audit.audit_logs where event_type = 'data_access' order by seq desc limit 2`,
      ),
    ).toEqual([{ correlation_id: 'case-17' }, { correlation_id: null }])
  })
})
