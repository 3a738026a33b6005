import { beforeAll, expect, it } from 'vitest'
import { createApiKey } from '../../src/identity/index.ts'
import { makeUser } from '../identity/people.ts'
import { testServer } from '../identity/server.ts'
import { testDatabase } from '../support/index.ts'
import { overSocket } from './client.ts'

const database = testDatabase()
const server = testServer(database)
const administrator = { host: 'localhost', authorization: '' }
const reader = { host: 'localhost', authorization: '' }
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
let app: ReturnType<typeof server.app>

beforeAll(async () => {
  const user = await makeUser(database, 'sys_admin')
  const open = database.open('app')
  const all = await createApiKey(open, user, {
    name: 'all',
    scopes: ['events:read', 'events:admin', 'audit_logs:read'],
  })
  administrator.authorization = `Bearer ${all.key}`
  reader.authorization = `Bearer ${(await createApiKey(open, user, { name: 'few', scopes: ['events:read'] })).key}`
  app = server.app()
})

const ask = (
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  payload?: object,
  headers: object = administrator,
) =>
  overSocket(app, {
    method,
    url: `/v1/channels${path}`,
    headers: { ...headers },
    ...(payload === undefined ? {} : { payload }),
  })

it('channels are added, changed, tested and removed, and never show their secret', async () => {
  const body = {
    name: 'soc',
    kind: 'webhook',
    destination: 'https://127.0.0.1/in',
    secret: SECRET,
    types: ['detection_finding'],
  }
  expect((await ask('POST', '', body, reader)).statusCode).toBe(403)
  const made = await ask('POST', '', body)
  expect(made.statusCode).toBe(201)
  expect(made.json()).toMatchObject({
    name: 'soc',
    hasSecret: true,
    state: 'active',
    log: 'security_events',
    perMinute: 600,
    deadLetters: 0,
  })
  expect(made.body).not.toContain(SECRET.slice(8))
  const { id } = made.json()
  expect((await ask('POST', '', body)).statusCode).toBe(409)
  for (const wrong of [
    { kind: 'pigeon' },
    { destination: 'file:///etc' },
    { secret: 'x' },
    { name: 'Über' },
    { perMinute: 0 },
  ])
    expect(
      (await ask('POST', '', { ...body, name: 'other', ...wrong })).statusCode,
      JSON.stringify(wrong),
    ).toBe(400)
  expect(
    (await ask('POST', '', { name: 'folder', kind: 'objects', destination: 'file:///tmp' })).statusCode,
  ).toBe(400)
  expect((await ask('PATCH', `/${id}`, { state: 'paused', minSeverity: 'high' })).json()).toMatchObject({
    state: 'paused',
    minSeverity: 'high',
    types: ['detection_finding'],
  })
  expect((await ask('PATCH', `/${id}`, {})).statusCode).toBe(400)
  expect((await ask('PATCH', `/${id}`, { state: 'active' }, reader)).statusCode).toBe(403)
  expect((await ask('POST', `/${id}/test`)).json()).toMatchObject({
    delivered: false,
    error: 'channels may not send to 127.0.0.1',
  })
  expect((await ask('GET', `/${id}/dead-letters`, undefined, reader)).json()).toEqual({
    rows: [],
    next: null,
  })
  expect((await ask('POST', `/${id}/replay`, {})).json()).toEqual({ replaying: 0 })
  expect((await ask('GET', '', undefined, reader)).json()).toMatchObject({
    channels: [{ id, state: 'paused' }],
  })
  expect((await ask('DELETE', `/${id}`, undefined, reader)).statusCode).toBe(403)
  expect((await ask('DELETE', `/${id}`)).statusCode).toBe(204)
  expect((await ask('DELETE', `/${id}`)).statusCode).toBe(404)
  expect((await ask('GET', '/x/dead-letters')).statusCode).toBe(400)
})
