import type { PermissionName } from '@akashi/contract'
import { beforeAll, describe, expect, it } from 'vitest'
import { createApiKey, createUser } from '../../src/identity/index.ts'
import { person } from '../../src/postgres/index.ts'
import { testServer } from '../identity/server.ts'
import { testDatabase, tester } from '../support/index.ts'
import { listen } from './support.ts'

const database = testDatabase()
const server = testServer(database)
const owner = database.open('owner')
const inApp = database.open('app')

let address: string
const ids: Record<string, string> = {}
const keys: Record<string, string> = {}

beforeAll(async () => {
  const people: readonly (readonly [string, string, PermissionName[]])[] = [
    ['admin', 'sys_admin', ['users:admin', 'keys:admin']],
    ['auditor', 'sys_auditor', ['users:read', 'keys:read']],
    ['taro', 'viewer', []],
  ]
  for (const [username, role, scopes] of people) {
    const id = await owner.transaction(tester, async (session) => {
      const made = await createUser(session, server.vault(), { username, email: `${username}@example.com` })
      await session.query('select akashi_auth.grant_role($1, $2)', [made, role])
      return made
    })
    ids[username] = id
    keys[username] = (await createApiKey(inApp, person({ userId: id }), { name: 'test', scopes })).key
  }
  const app = server.app()
  address = `http://127.0.0.1:${await listen(app)}/v1`
  return () => app.close()
})

async function ask(as: string | null, method: 'GET' | 'POST' | 'PATCH', path: string, body?: object) {
  const answer = await fetch(`${address}${path}`, {
    method,
    headers: {
      ...(as === null ? {} : { authorization: `Bearer ${keys[as]}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: JSON.parse(await answer.text()) }
}

describe('/users', () => {
  it('answers whoever may read users, and records whose data were read', async () => {
    const list = await ask('auditor', 'GET', '/users?usernamePrefix=ta')
    expect(list).toMatchObject({ status: 200, body: { users: [{ email: 'taro@example.com' }], next: null } })
    const one = await ask('auditor', 'GET', `/users/${ids['taro']}`)
    expect(one).toMatchObject({ status: 200, body: { username: 'taro', status: 'active' } })
    const { rows } = await inApp.transaction(person({ userId: ids['auditor'] ?? '' }), (session) =>
      session.query(
        `select resource_id from akashi_audit.audit_logs where event_type = 'data_access' and resource = 'user'`,
      ),
    )
    expect(rows).toEqual([{ resource_id: ids['taro'] }, { resource_id: ids['taro'] }])
  })

  it.each([
    ['nobody', null, 401],
    ['a viewer', 'taro', 403],
  ] as const)('refuses %s', async (_, as, status) => {
    for (const [method, url, payload] of [
      ['GET', '/users'],
      ['GET', `/users/${ids['admin']}`],
      ['POST', '/users', { username: 'new-one', email: 'new@example.com' }],
      ['PATCH', `/users/${ids['admin']}`, { displayName: 'X' }],
      ['POST', `/users/${ids['admin']}/erasure`, { confirm: 'admin', reason: 'x' }],
      ['GET', `/users/${ids['admin']}/erasure`],
    ] as const)
      expect((await ask(as, method, url, payload)).status, `${method} ${url}`).toBe(status)
  })

  it('makes and changes users', async () => {
    const made = await ask('admin', 'POST', '/users', { username: 'hanako', email: 'hanako@example.com' })
    expect(made.status).toBe(201)
    const again = await ask('admin', 'POST', '/users', { username: 'hanako', email: 'other@example.com' })
    expect(again.status).toBe(409)
    expect((await ask('admin', 'POST', '/users', { username: 'x', email: 'x' })).status).toBe(400)
    const changed = await ask('admin', 'PATCH', `/users/${made.body.id}`, {
      displayName: '花子',
      status: 'suspended',
      classification: 'confidential',
    })
    expect(changed).toMatchObject({
      status: 200,
      body: { displayName: '花子', status: 'suspended', classification: 'confidential' },
    })
    expect((await ask('admin', 'PATCH', `/users/${ids['admin']}`, { status: 'inactive' })).status).toBe(403)
    expect((await ask('admin', 'GET', '/users/01998c00-0000-7000-8000-000000000000')).status).toBe(404)
  })

  it('erases, with a reason and the name once more', async () => {
    const { body } = await ask('admin', 'POST', '/users', { username: 'leaver', email: 'leaver@example.com' })
    const url = `/users/${body.id}/erasure`
    expect((await ask('admin', 'GET', url)).status).toBe(404)
    const asked = { confirm: 'leaver', reason: 'asked for it' }
    expect((await ask('admin', 'POST', url, { ...asked, confirm: 'taro' })).status).toBe(400)
    expect((await ask('admin', 'POST', url, { ...asked, reason: ' ' })).status).toBe(400)
    const erased = await ask('admin', 'POST', url, asked)
    expect(erased).toMatchObject({ status: 200, body: { userId: body.id, reason: 'asked for it' } })
    expect(await ask('auditor', 'GET', url)).toEqual(erased)
    expect(await ask('admin', 'GET', `/users/${body.id}`)).toMatchObject({
      body: { status: 'deleted', email: null },
    })
  })
})
