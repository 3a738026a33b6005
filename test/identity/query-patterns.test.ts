/** Runs every statement of docs/query-patterns.md on a real database, as the login that its heading names. */
import { createHash, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { createUser } from '../../src/identity/index.ts'
import { subjectIndexes } from '../../src/identity/users/personal.ts'
import type { Actor, DatabaseRole } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { makeUser } from './people.ts'
import { testKeyring } from './support.ts'

const PATTERN = /^### (\d+)\. (.+), as akashi_(\w+)$([\s\S]*?)^```sql\n([\s\S]*?)^```$/gm

const page = readFileSync(new URL('../../docs/query-patterns.md', import.meta.url), 'utf8')
const patterns = new Map(
  [...page.matchAll(PATTERN)].map(([, , title = '', role = '', , sql = '']) => [title, { role, sql }]),
)

const database = testDatabase()
const keys = testKeyring()
const worker = database.open('worker')
const ledger = testLedger(worker)

let user: Actor & { readonly userId: string }
let federated = ''
const token = createHash('sha256').update('a token').digest()

beforeAll(async () => {
  user = await makeUser(database, 'sys_operator', 'viewer')
  federated = await worker.transaction(tester, (session) =>
    createUser(session, keys.vault, {
      username: 'federated',
      email: 'federated@example.com',
      issuer: 'https://id.example',
      subject: 'sub-1',
    }),
  )
  await database.asSuperuser(async (session) => {
    await session.query(
      `insert into akashi_auth.user_sessions (user_id, session_token_hash, device_type, ip_address, expires_at, revoked_at) values
         ($1, $2, 'browser', '192.0.2.1', now() + interval '1 hour', null),
         ($1, sha256('ended'), 'browser', '192.0.2.2', now() + interval '1 hour', now())`,
      [user.userId, token],
    )
    await session.query(
      `insert into akashi_auth.local_credentials (user_id, password_hash) values ($1, '$argon2id$present')`,
      [user.userId],
    )
    await session.query(
      `insert into akashi_auth.password_history (user_id, password_hash) values ($1, '$argon2id$former')`,
      [user.userId],
    )
    await session.query(
      `insert into akashi_auth.login_attempts (user_id, method, result, ip_address)
       select case n % 2 when 0 then $1::uuid else gen_random_uuid() end, 'password', 'failure', '203.0.113.66' from generate_series(1, 6) n`,
      [user.userId],
    )
    await session.query(
      `update akashi_auth.security_policies set value = '7' where key = 'lockout.threshold'`,
    )
    await session.query(
      `insert into akashi_security.security_events (event_type, event_category, severity, source_service)
       values ('checked', 'system', 'critical', 'test'), ('checked', 'system', 'low', 'test')`,
    )
    await session.query(
      `create table public.orders (id integer primary key, note text);
       grant select, insert, update on public.orders to akashi_app; select akashi_audit.protect('public.orders')`,
    )
  })
  await database.open('app').transaction(user, async (session) => {
    await session.query(`insert into public.orders values (1, 'new')`)
    await session.query(`update public.orders set note = 'paid'`)
  })
  await ledger.seal()
})

/** The rows of a pattern of the page, asked as its login; the application asks for `user`. */
async function ask(title: string, ...values: unknown[]): Promise<Record<string, unknown>[]> {
  const pattern = patterns.get(title)
  if (pattern === undefined) throw new Error(`docs/query-patterns.md has no pattern '${title}'`)
  const { role, sql } = pattern
  const { rows } = await database
    .open(role as DatabaseRole)
    .transaction(role === 'app' ? user : tester, (session) =>
      session.query<Record<string, unknown>>(sql, values),
    )
  return rows
}

it('has fourteen patterns', () => {
  expect([...patterns.keys()]).toHaveLength(14)
  expect(page.match(/^### /gm)).toHaveLength(14)
})

describe('users and permissions', () => {
  it('finds the active user of an identity', async () => {
    const [index] = await subjectIndexes(keys.vault, 'sub-1')
    const identity = ['https://id.example', index]
    expect(await ask('Active user of an identity', ...identity)).toMatchObject([
      { id: federated, username: 'federated', account_status: 'active' },
    ])
    await database.asSuperuser((session) =>
      session.query(`update akashi_auth.users set account_status = 'suspended' where id = $1`, [federated]),
    )
    expect(await ask('Active user of an identity', ...identity)).toEqual([])
  })

  it('lists roles', async () => {
    expect(await ask('Roles of a user', user.userId)).toMatchObject([
      { name: 'sys_operator', tier: 'system', expires_at: null },
      { name: 'viewer', tier: 'service', expires_at: null },
    ])
  })

  it('lists permissions, each once', async () => {
    const held = await ask('Permissions of a user through roles', user.userId)
    expect(held).toContainEqual({ resource: 'monitoring', action: 'write' })
    expect(held).not.toContainEqual({ resource: 'users', action: 'write' })
    expect(new Set(held.map((row) => JSON.stringify(row))).size).toBe(held.length)
  })

  it('decides about the caller', async () => {
    expect(await ask('Whether the caller has a permission', 'users:read')).toEqual([{ allowed: true }])
    expect(await ask('Whether the caller has a permission', 'users:write')).toEqual([{ allowed: false }])
  })

  it('lists who holds a permission, also by admin', async () => {
    const admin = await makeUser(database, 'sys_admin')
    const usernames = async (resource: string, action: string) =>
      (await ask('Who holds a permission', resource, action)).map((row) => row['username'])
    const names = await database.asSuperuser(
      async (session) =>
        (
          await session.query<{ id: string; username: string }>(
            'select id, username from akashi_auth.users where id = any ($1)',
            [[user.userId, admin.userId]],
          )
        ).rows,
    )
    const nameOf = (id: string) => names.find((row) => row.id === id)?.username
    expect(await usernames('monitoring', 'write')).toContain(nameOf(user.userId))
    expect(await usernames('monitoring', 'delete')).not.toContain(nameOf(user.userId))
    expect(await usernames('monitoring', 'delete')).toContain(nameOf(admin.userId))
  })
})

describe('sessions, passwords and sign-ins', () => {
  it('finds the session of a token, and none that ended', async () => {
    expect(await ask('Session of a token', token)).toMatchObject([{ user_id: user.userId }])
    const ended = createHash('sha256').update('ended').digest()
    expect(await ask('Session of a token', ended)).toEqual([])
  })

  it('lists live sessions', async () => {
    const found = await ask('Live sessions of a user', user.userId)
    expect(found.map((row) => row['ip_address'])).toEqual(expect.arrayContaining(['192.0.2.1']))
    expect(found.map((row) => row['ip_address'])).not.toContain('192.0.2.2')
  })

  it('lists former password hashes after the present one', async () => {
    expect(await ask('Former password hashes of a user', user.userId)).toEqual([
      { password_hash: '$argon2id$present' },
      { password_hash: '$argon2id$former' },
    ])
  })

  it('counts failed sign-ins by address', async () => {
    const since = new Date(Date.now() - 900_000)
    expect(await ask('Failed sign-ins by address', since, 5)).toMatchObject([
      { ip_address: '203.0.113.66', attempts: 6n, accounts: 4n },
    ])
    expect(await ask('Failed sign-ins by address', since, 6)).toEqual([])
  })

  it('lists policies that were changed', async () => {
    expect(await ask('Security policies that differ from their defaults')).toMatchObject([
      { key: 'lockout.threshold', value: 7 },
    ])
  })
})

describe('the audit log and security events', () => {
  it('lists what a user did, a page after another', async () => {
    const range = [user.userId, new Date(Date.now() - 900_000), new Date(Date.now() + 900_000)]
    const first = await ask('What a user did between two times', ...range, 'infinity', 0)
    expect(first).toMatchObject([
      { action: 'update', table_name: 'orders', record_id: '1' },
      { action: 'insert', table_name: 'orders', record_id: '1' },
    ])
    const { created_at: at, seq } = first[0] ?? {}
    expect(await ask('What a user did between two times', ...range, at, seq)).toEqual(first.slice(1))
  })

  it('follows a record', async () => {
    expect(await ask('History of a record', 'public', 'orders', '1')).toMatchObject([
      { operation: 'INSERT', user_id: user.userId, new_values: { id: 1, note: 'new' } },
      { operation: 'UPDATE', changed_fields: ['note'], old_values: { note: 'new' } },
    ])
    expect(await ask('History of a record', 'public', 'orders', randomUUID())).toEqual([])
  })

  it('lists severe events that are open', async () => {
    const found = await ask('Open security events of a severity', new Date(Date.now() - 900_000))
    expect(found).toMatchObject([{ event_type: 'checked', severity: 'critical', remediation_status: 'open' }])
  })

  it('names broken links of the chain', async () => {
    expect(await ask('Broken links of the hash chain', 'audit_logs')).toEqual([])
    await database.asSuperuser(async (session) => {
      await session.query('alter table akashi_audit.ledger_entries disable trigger all')
      await session.query(
        `delete from akashi_audit.ledger_entries where log = 'audit_logs' and "position" = 2`,
      )
      await session.query('alter table akashi_audit.ledger_entries enable trigger all')
    })
    expect(await ask('Broken links of the hash chain', 'audit_logs')).toMatchObject([
      { position: 3n, previous_hash: null, expected: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ])
  })
})
