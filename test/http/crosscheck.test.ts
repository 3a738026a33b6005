import { beforeAll, describe, expect, it } from 'vitest'
import { createApiKey } from '../../src/identity/index.ts'
import { makeUser } from '../identity/people.ts'
import { testServer } from '../identity/server.ts'
import { testDatabase } from '../support/index.ts'
import { overSocket } from './client.ts'

const database = testDatabase()
const server = testServer(database)
const administrator = { host: 'localhost', authorization: '' }
const reader = { host: 'localhost', authorization: '' }
let app: ReturnType<typeof server.app>

beforeAll(async () => {
  const user = await makeUser(database, 'sys_admin')
  const open = database.open('app')
  const all = await createApiKey(open, user, {
    name: 'all',
    scopes: ['ledger:read', 'ledger:admin', 'audit_logs:read'],
  })
  administrator.authorization = `Bearer ${all.key}`
  const few = await createApiKey(open, user, { name: 'few', scopes: ['ledger:read'] })
  reader.authorization = `Bearer ${few.key}`
  await database.asSuperuser((session) =>
    session.query('select akashi_audit.record_discrepancies($1)', [
      JSON.stringify(
        [1, 2].map((n) => ({
          kind: 'state',
          place: `state/${n}`,
          schema_name: 'public',
          table_name: 't',
          record_id: `${n}`,
          detail: `row ${n} differs`,
        })),
      ),
    ]),
  )
  app = server.app()
})

const ask = (method: 'GET' | 'POST', path: string, payload?: object, headers: object = administrator) =>
  overSocket(app, {
    method,
    url: `/v1/crosscheck${path}`,
    headers: { ...headers },
    ...(payload === undefined ? {} : { payload }),
  })

describe('the cross-check over HTTP', () => {
  it('says how far it is', async () => {
    const answer = await ask('GET', '', undefined, reader)
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({ state: 'off', discrepancies: 2, gaps: 0 })
  })

  it('lists what disagrees until it is settled, with a reason', async () => {
    const { rows } = (await ask('GET', '/discrepancies')).json<{ rows: { id: string; recordId: string }[] }>()
    expect(rows.map(({ recordId }) => recordId).toSorted()).toEqual(['1', '2'])
    expect(rows[0]).toMatchObject({ kind: 'state', table: 'public.t', login: 'unknown', settledAt: null })
    const [first] = rows
    expect((await ask('POST', '/settle', { ids: [first?.id], explanation: '' })).statusCode).toBe(400)
    expect((await ask('POST', '/settle', { ids: [first?.id], explanation: 'a restore' })).json()).toEqual({
      settled: 1,
    })
    expect((await ask('POST', '/settle', { ids: [first?.id], explanation: 'again' })).json()).toEqual({
      settled: 0,
    })
    expect((await ask('GET', '/discrepancies')).json<{ rows: object[] }>().rows).toHaveLength(1)
    const all = (await ask('GET', '/discrepancies?all=true')).json<{ rows: { id: string }[] }>().rows
    expect(all).toHaveLength(2)
    expect(all.find(({ id }) => id === first?.id)).toMatchObject({ explanation: 'a restore' })
    expect((await ask('GET', '/gaps')).json()).toEqual({ rows: [] })
  })

  it('is not for everybody', async () => {
    expect((await ask('GET', '/discrepancies', undefined, reader)).statusCode).toBe(403)
    expect(
      (
        await ask(
          'POST',
          '/settle',
          { ids: ['01890a5d-ac96-774b-bcce-b302099a8057'], explanation: 'x' },
          reader,
        )
      ).statusCode,
    ).toBe(403)
    expect((await ask('GET', '', undefined, { host: 'localhost' })).statusCode).toBe(401)
  })
})
