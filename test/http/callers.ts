import type { PermissionName } from '@akashi/contract'
import { afterAll, beforeAll } from 'vitest'
import { type DeclaredRoute, permissionsOf } from '../../src/http/access.ts'
import { httpLimits } from '../../src/http/index.ts'
import { createApiKey, createServiceAccount, grantServiceRole } from '../../src/identity/index.ts'
import { type Person, person } from '../../src/postgres/index.ts'
import { PASSWORD, testServer } from '../identity/server.ts'
import { testStore } from '../lifecycle/support/archive.ts'
import type { TestDatabase } from '../support/index.ts'
import { listen } from './support.ts'

export const seedRoles = ['sys_admin', 'sys_operator', 'sys_auditor', 'security_admin', 'viewer'] as const

/** The log of the paths that name one. */
export const LOG = 'audit_logs'

export interface Caller {
  readonly headers: Record<string, string>
  readonly kind: 'nobody' | 'session' | 'key'
  readonly userId?: string
  holds(permission: PermissionName): boolean
  /** Lacks a new password. */
  readonly pending?: true
  /** Showed credentials an hour ago. */
  readonly stale?: true
}

/** A server on a socket, and everybody who may call it. Call it at the top of a test file. */
export function testCallers(database: TestDatabase) {
  const server = testServer(database)
  const cold = testStore()
  const application = database.open('app')
  const callers = new Map<string, Caller>()
  /** Keys of a service by the scopes that they have, one for each that a route asks for. */
  const scoped = new Map<string, Caller>()
  let origin = ''
  let table: readonly DeclaredRoute[] = []

  const ask = async <R>(text: string, values: unknown[] = []) =>
    (await database.asSuperuser((session) => session.query<R>(text, values))).rows
  const setPolicy = (key: string, value: string) =>
    ask('update akashi_auth.security_policies set value = $2 where key = $1', [key, value])

  beforeAll(async () => {
    // Else every session of the system tier would lack a second factor.
    await setPolicy('mfa.required_tiers', '[]')
    await setPolicy('api_key.max_per_owner', '100')
    const app = server.app({}, { store: cold.store }, { ...httpLimits, rateMax: 1_000_000 })
    origin = `http://127.0.0.1:${await listen(app)}`
    table = app.accessTable
    callers.set('nobody', { headers: {}, kind: 'nobody', holds: () => false })
    await addPerson('a plain user')
    await addPerson('a foreign session')
    for (const role of seedRoles) await addPerson(role, role)
    await addPerson('a session that must change its password', 'sys_admin', { pending: true })
    await addPerson('a session of an hour ago', 'sys_admin', { stale: true })
    const owner = person({ userId: idOf('sys_admin') })
    callers.set('a person’s key without scopes', { ...(await keyOf(owner, [])), userId: owner.userId })
    await createServiceAccount(application, owner, { name: 'robot', tier: 'system' })
    await grantServiceRole(application, owner, { account: 'robot', role: 'sys_admin' })
    callers.set('a service key without scopes', await keyOf(owner, [], 'robot'))
    for (const { access } of table) {
      const scopes = permissionsOf(access, LOG)
      const name = scopes.join(' ')
      if (name !== '' && !scoped.has(name)) scoped.set(name, await keyOf(owner, [...scopes], 'robot'))
    }
    return () => app.close()
  })
  afterAll(() => callers.clear())

  /** A user who is signed in and has no role but this one. */
  async function addPerson(
    name: string,
    role?: string,
    state: Pick<Caller, 'pending' | 'stale'> = {},
  ): Promise<void> {
    const userId = await server.user(loginOf(name), { oneTime: state.pending === true })
    await ask('delete from akashi_auth.user_roles where user_id = $1', [userId])
    await ask(
      'insert into akashi_auth.user_roles (user_id, role_id) select $1, id from akashi_auth.roles where name = $2',
      [userId, role],
    )
    const held = await ask<{ name: string }>(
      `select p.resource || ':' || p.action as name from akashi_auth.roles r
       join akashi_auth.role_permissions rp on rp.role_id = r.id join akashi_auth.permissions p on p.id = rp.permission_id
       where r.name = $1`,
      [role],
    )
    const holds = within(held.map((each) => each.name))
    callers.set(name, { headers: await signIn(name), kind: 'session', userId, holds, ...state })
  }

  async function signIn(name: string): Promise<Record<string, string>> {
    const answer = await fetch(`${origin}/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ login: loginOf(name), password: PASSWORD }),
    })
    const cookie = /__Host-akashi-session=[^;]+/.exec(answer.headers.getSetCookie().join('; '))?.[0]
    if (cookie === undefined) throw new Error(`${name} cannot sign in: ${await answer.text()}`)
    return { cookie, 'x-akashi-request': '1' }
  }

  async function keyOf(owner: Person, scopes: PermissionName[], serviceAccount?: string): Promise<Caller> {
    const { key } = await createApiKey(application, owner, {
      name: 'test',
      scopes,
      ...(serviceAccount === undefined ? {} : { serviceAccount }),
    })
    return { headers: { authorization: `Bearer ${key}` }, kind: 'key', holds: within(scopes) }
  }

  function named(name: string, from: ReadonlyMap<string, Caller> = callers): Caller {
    const caller = from.get(name)
    if (caller === undefined) throw new Error(`nobody is called ${name}`)
    return caller
  }

  const idOf = (name: string) => named(name).userId ?? ''

  return {
    clock: server.clock,
    table: () => table,
    origin: () => origin,
    scoped,
    ask,
    named,
    idOf,
    withScope: (scope: PermissionName) => named(scope, scoped),
    /** The same person at a session of its own: a walk ends the first one. */
    async again(name: string): Promise<Caller> {
      const caller = named(name)
      if (caller.kind !== 'session') return caller
      const added = callers.get(`${name} again`) ?? { ...caller, headers: await signIn(name) }
      callers.set(`${name} again`, added)
      return added
    },
    async send(caller: Caller, method: string, path: string, body: object = {}) {
      const bare = method === 'GET' || method === 'HEAD'
      const answer = await fetch(`${origin}${path}`, {
        method,
        redirect: 'manual',
        headers: { ...caller.headers, ...(bare ? {} : { 'content-type': 'application/json' }) },
        ...(bare ? {} : { body: JSON.stringify(body) }),
      })
      return { status: answer.status, text: await answer.text() }
    },
  }
}

const loginOf = (name: string) => name.replaceAll(/\W/g, '-')

/** Whether somebody with these permissions has another: admin holds the other actions of its resource. */
const within = (held: readonly string[]) => (permission: string) =>
  held.includes(permission) || held.includes(permission.replace(/:.*/, ':admin'))
