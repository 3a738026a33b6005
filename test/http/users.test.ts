import Fastify from 'fastify'
import { beforeAll, describe, expect, it } from 'vitest'
import { answerProblems } from '../../src/http/plugins/problem-details.ts'
import { echoRequestId } from '../../src/http/plugins/request-id.ts'
import { userRoutes } from '../../src/http/routes/users.ts'
import { type App, useZod } from '../../src/http/schema.ts'
import { createUser } from '../../src/identity/index.ts'
import { anonymous } from '../../src/postgres/index.ts'
import { testKeyring } from '../identity/support.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()
const keys = testKeyring()
const owner = database.open('owner')
const inApp = database.open('app')

/** The routes alone; the header `x-user` stands for whoever was signed in. */
let app: App
let refused = false
const ids: Record<string, string> = {}

beforeAll(async () => {
  app = Fastify()
  app.decorateRequest('actor', {
    getter() {
      const userId = this.headers['x-user']
      return typeof userId === 'string' ? { userId } : {}
    },
  })
  echoRequestId(app)
  answerProblems(app)
  useZod(app)
  userRoutes(app, {
    app: inApp,
    vault: keys.vault,
    keyring: keys.keyring,
    stepUp: async () => {
      if (refused) throw new Error('show the password once more')
    },
  })
  for (const [username, role] of [
    ['admin', 'sys_admin'],
    ['auditor', 'sys_auditor'],
    ['taro', 'viewer'],
  ]) {
    await owner.transaction(anonymous, async (session) => {
      const id = await createUser(session, keys.vault, {
        username: username ?? '',
        email: `${username}@example.com`,
      })
      await session.query('select auth.grant_role($1, $2)', [id, role])
      ids[username ?? ''] = id
    })
  }
})

async function ask(as: string | null, method: 'GET' | 'POST' | 'PATCH', url: string, payload?: object) {
  const answer = await app.inject({
    method,
    url,
    headers: as === null ? {} : { 'x-user': ids[as] ?? '' },
    ...(payload === undefined ? {} : { payload }),
  })
  return { status: answer.statusCode, body: answer.json() }
}

describe('/users', () => {
  it('answers whoever may read users, and records whose data were read', async () => {
    const list = await ask('auditor', 'GET', '/users?usernamePrefix=ta')
    expect(list).toMatchObject({ status: 200, body: { users: [{ email: 'taro@example.com' }], next: null } })
    const one = await ask('auditor', 'GET', `/users/${ids['taro']}`)
    expect(one).toMatchObject({ status: 200, body: { username: 'taro', status: 'active' } })
    const { rows } = await inApp.transaction({ userId: ids['auditor'] ?? '' }, (session) =>
      session.query(
        `select resource_id from audit.audit_logs where event_type = 'data_access' and resource = 'user'`,
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

  it('erases, once what is asked before is answered', async () => {
    const { body } = await ask('admin', 'POST', '/users', { username: 'leaver', email: 'leaver@example.com' })
    const url = `/users/${body.id}/erasure`
    expect((await ask('admin', 'GET', url)).status).toBe(404)
    const asked = { confirm: 'leaver', reason: 'asked for it' }
    expect((await ask('admin', 'POST', url, { ...asked, confirm: 'taro' })).status).toBe(400)
    refused = true
    expect((await ask('admin', 'POST', url, asked)).status).toBe(500)
    refused = false
    const erased = await ask('admin', 'POST', url, asked)
    expect(erased).toMatchObject({ status: 200, body: { userId: body.id, reason: 'asked for it' } })
    expect(await ask('auditor', 'GET', url)).toEqual(erased)
    expect(await ask('admin', 'GET', `/users/${body.id}`)).toMatchObject({
      body: { status: 'deleted', email: null },
    })
  })
})
