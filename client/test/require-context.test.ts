import { asOf, search, withActor } from '@akashi/client'
import { withContext } from '@akashi/client/pg'
import { assertRecorded } from '@akashi/client/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { akashi } from '../../test/cli/world.ts'
import { shopDatabase } from './database.ts'

const shop = shopDatabase()
const migrations = `${shop.login}_migrations`
let pool: pg.Pool

const protect = (...options: string[]) =>
  akashi(['protect', 'public.orders', ...options], {
    world: { environment: { DATABASE_URL: shop.url('owner') } },
  })

beforeAll(async () => {
  pool = withContext(new pg.Pool({ connectionString: shop.appUrl, max: 2 }), { key: shop.key })
  await shop.asSuperuser((session) => session.query(`create role ${migrations} login password 'x'`))
  await shop.asSuperuser((session) => session.query(`grant all on orders to ${migrations}`))
})
afterAll(async () => {
  await pool.end()
  await shop.asSuperuser(async (session) => {
    await session.query(`revoke all on orders from ${migrations}`)
    await session.query(`drop role ${migrations}`)
  })
})

const insert = 'insert into orders (item) values ($1)'

describe('akashi protect --require-context', () => {
  it.each([[], ['--on-failure', 'record_loss']])('refuses changes for nobody (%s %s)', async (...more) => {
    const done = await protect('--require-context', '--context-exempt', migrations, ...more)
    expect(done.status, done.stderr).toBe(0)
    for (const statement of [
      "insert into orders (item) values ('x')",
      "update orders set item = 'x'",
      'delete from orders',
      'truncate orders',
    ]) {
      await expect(pool.query(statement)).rejects.toThrow(/need a signed request context/)
    }
    await expect(
      shop.asSuperuser((session) => session.query("insert into orders (item) values ('x')")),
    ).rejects.toThrow()
    await withActor({ userId: 'taro' }, () => pool.query(insert, ['tea']))
    const { rows } = await pool.query('select item from orders where item = $1', ['x'])
    expect(rows).toEqual([])
    const losses = await shop.asSuperuser((session) => session.query('select from akashi_audit.losses'))
    expect(losses.rowCount).toBe(0)
  })

  it('lets the logins that it names go on, and nobody who only has their rights', async () => {
    const url = new URL(shop.appUrl)
    url.username = migrations
    url.password = 'x'
    const client = new pg.Client({ connectionString: url.href })
    await client.connect()
    await client.query(insert, ['by a migration'])
    await client.end()
    await shop.asSuperuser(async (session) => {
      await session.query(`set role ${migrations}`)
      await expect(session.query("insert into public.orders (item) values ('x')")).rejects.toThrow()
    })
  })

  it('is part of what verification compares', async () => {
    const problems = () =>
      shop.asSuperuser((session) =>
        session.query("select * from akashi_audit.trigger_problems('audit_logs')").then(({ rows }) => rows),
      )
    expect(await problems()).toEqual([])
    await shop.asSuperuser((session) =>
      session.query(
        "update akashi_audit.protected_tables set context_exempt = '{}' where table_name = 'orders'",
      ),
    )
    expect(await problems()).not.toEqual([])
  })

  it('refuses logins that are not there', async () => {
    expect((await protect('--require-context', '--context-exempt', 'nobody_such')).status).toBe(2)
    expect((await protect('--history', 'nobody_such')).status).toBe(2)
  })
})

describe('akashi protect --history', () => {
  it('lets a login read what others did to its table, and to no other', async () => {
    await protect()
    await withActor({ userId: 'staff', requestId: 'h-1' }, () => pool.query(insert, ['told']))
    await shop.asSuperuser(async (session) => {
      await session.query('create table secrets (id int primary key)')
      await session.query("select akashi_audit.protect('secrets')")
      await session.query('insert into secrets values (1)')
    })
    const found = () => withActor({ userId: 'customer' }, () => search(pool, { requestId: 'h-1' }))
    expect((await found()).rows).toEqual([])
    expect((await protect('--history', shop.login)).status).toBe(0)
    expect((await found()).rows).toMatchObject([{ userId: 'staff', operation: 'INSERT' }])
    expect((await search(pool, { table: 'secrets' })).rows).toEqual([])
    await assertRecorded(pool, 'h-1', [{ table: 'orders', operation: 'INSERT', userId: 'staff' }])
    await expect(
      assertRecorded(pool, 'h-1', [{ table: 'orders', operation: 'INSERT', userId: 'customer' }]),
    ).rejects.toThrow(/left other rows/)
    await expect(assertRecorded(pool, 'h-1', [])).rejects.toThrow(/left other rows/)
  })

  it('tells how a record was at a moment', async () => {
    const { rows } = await withActor({ userId: 'staff' }, () =>
      pool.query(`${insert} returning id`, ['first']),
    )
    const record = { table: 'public.orders', id: rows[0].id }
    const between = await pool.query('select clock_timestamp() as now')
    await new Promise((done) => setTimeout(done, 2))
    await withActor({ userId: 'staff' }, () =>
      pool.query("update orders set item = 'second' where id = $1", [record.id]),
    )
    expect(await asOf(pool, record, between.rows[0].now)).toMatchObject({
      state: 'present',
      values: { item: 'first' },
    })
    await withActor({ userId: 'staff' }, () => pool.query('delete from orders where id = $1', [record.id]))
    expect(await asOf(pool, record, new Date(Date.now() + 60_000))).toMatchObject({
      state: 'absent',
      version: { operation: 'DELETE' },
    })
    expect(await asOf(pool, record, new Date(0))).toMatchObject({ state: 'unknown', values: null })
  })
})
