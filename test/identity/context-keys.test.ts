import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { activeContextKeys, useContextKey } from '../../src/identity/index.ts'
import { type ContextKey, openDatabase, person } from '../../src/postgres/index.ts'
import { akashi } from '../cli/world.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()

async function run(...argv: string[]) {
  return await akashi([...argv, '--json'], {
    world: { environment: { DATABASE_URL: database.url('owner') } },
  })
}

const actions = async () => {
  const { rows } = await database.asSuperuser((session) =>
    session.query(
      `select event_type, resource_id, detail from akashi_audit.audit_logs
       where resource = 'context_key' order by seq`,
    ),
  )
  return rows
}

/** The key of the text that an application gets, as the page describes it. */
function parse(text: string): ContextKey {
  const [, id = '', secret = ''] = /^akctx_(.+)_([0-9a-f]{64})$/.exec(text) ?? []
  return { id, secret: Buffer.from(secret, 'hex') }
}

describe('akashi context-key', () => {
  it('gives an application a key that signs for its login alone, and the trail names the application', async () => {
    await database.asSuperuser(async (session) => {
      await session.query('create table orders (id int primary key)')
      await session.query("select akashi_audit.protect('orders')")
      await session.query('grant insert on orders to akashi_app')
    })
    const created = await run('context-key', 'create', '--application', 'shop', '--login', 'akashi_app')
    expect(created.status, created.stderr).toBe(0)
    const key = parse(JSON.parse(created.stdout).key)
    expect(key.id).toMatch(/^shop-[0-9a-f]{8}$/)
    expect(key.secret).toHaveLength(32)

    const shop = database.open('app', { contextKey: key })
    const administrator = '019a0000-0000-7000-8000-000000000001'
    await shop.transaction(person({ userId: administrator }), (session) =>
      session.query('insert into public.orders values (1)'),
    )
    const { rows } = await database.asSuperuser((session) =>
      session.query(
        "select user_id, signed_by, context_verified from akashi_audit.audit_logs where table_name = 'orders'",
      ),
    )
    expect(rows).toEqual([{ user_id: administrator, signed_by: 'shop', context_verified: true }])
    const worker = openDatabase({ url: database.url('worker'), role: 'worker', contextKey: key })
    const elsewhere = await worker
      .transaction(person({ userId: administrator }), (session) =>
        session.query('select akashi_auth.context_verified() as verified'),
      )
      .finally(() => worker.close())
    expect(elsewhere.rows).toEqual([{ verified: false }])

    const listed = await run('context-key')
    expect(listed.stdout).not.toContain(Buffer.from(key.secret).toString('hex'))
    expect(JSON.parse(listed.stdout).keys).toContainEqual(
      expect.objectContaining({ id: key.id, application: 'shop', login: 'akashi_app', expiresAt: null }),
    )

    expect((await run('context-key', 'revoke', key.id)).status).toBe(0)
    const after = await shop.transaction(person({ userId: '1' }), (session) =>
      session.query('select akashi_auth.context_verified() as verified'),
    )
    expect(after.rows).toEqual([{ verified: false }])
    expect(await actions()).toEqual([
      {
        event_type: 'context_key_added',
        resource_id: key.id,
        detail: { application: 'shop', login: 'akashi_app' },
      },
      {
        event_type: 'context_key_revoked',
        resource_id: key.id,
        detail: { application: 'shop', login: 'akashi_app' },
      },
    ])
  })

  it('refuses what would sign for somebody else, or could not sign', async () => {
    const create = (application: string, login: string) =>
      run('context-key', 'create', '--application', application, '--login', login)
    for (const [application, login, says] of [
      ['akashi', 'akashi_app', /not a valid application name/],
      ['Shop', 'akashi_app', /not a valid application name/],
      ['shop', 'nobody_such', /no login nobody_such/],
      ['shop', 'akashi_backup', /grant akashi_client to akashi_backup/],
      ['shop', 'akashi_server', /may not use contexts/],
    ] as const) {
      const refused = await create(application, login)
      expect(refused.status, application).toBe(2)
      expect(refused.stdout + refused.stderr).toMatch(says)
    }
    expect((await run('context-key', 'revoke', 'test')).status).toBe(2)
    for (const role of ['app', 'worker', 'security_admin'] as const) {
      await expect(
        database
          .open(role)
          .transaction(tester, (session) =>
            session.query("select akashi_auth.create_context_key('shop', 'akashi_app')"),
          ),
      ).rejects.toMatchObject({ code: 'forbidden' })
    }
  })
})

describe('the key that Akashi signs with', () => {
  it('can be replaced under running processes, and the one before ends', async () => {
    const use = (key: ContextKey) =>
      database.open('owner').transaction(tester, (session) => useContextKey(session, key))
    const first = { id: 'context-1', secret: randomBytes(32) }
    const second = { id: 'context-2', secret: randomBytes(32) }
    await use(first)
    await use(first)
    let current = first
    const running = database.open('app', { contextKey: { ...first, renew: async () => current } })
    const verified = async () => {
      const { rows } = await running.transaction(person({ userId: '1' }), (session) =>
        session.query(
          "select akashi_auth.context_application() as by, current_setting('app.context_key') as key",
        ),
      )
      return rows[0]
    }
    expect(await verified()).toEqual({ by: 'akashi', key: 'context-1' })
    current = second
    await use(second)
    // What the overlap leaves to transactions is over at once here.
    await database.asSuperuser((session) =>
      session.query('update akashi_auth.context_keys set expires_at = now() where expires_at is not null'),
    )
    expect(await verified()).toEqual({ by: 'akashi', key: 'context-2' })
    expect(await database.asSuperuser(activeContextKeys)).toEqual(['context-2'])
    await expect(use(first)).rejects.toMatchObject({ code: 'conflict' })
    expect((await actions()).at(-1)).toEqual({
      event_type: 'context_key_added',
      resource_id: 'context-2',
      detail: { application: 'akashi', replaces: ['context-1'] },
    })
    await database.asSuperuser((session) =>
      session.query(
        "update akashi_auth.context_keys set expires_at = now() - interval '2 days' where id = 'context-1'",
      ),
    )
    await use(second)
    const { rows } = await database.asSuperuser((session) =>
      session.query("select id from akashi_auth.context_keys where id = 'context-1'"),
    )
    expect(rows).toEqual([])
  })
})
