import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openShop } from '../../examples/shop/app.ts'
import { prepareShop } from '../../examples/shop/prepare.ts'
import { akashi } from '../../test/cli/world.ts'
import { testDatabase } from '../../test/support/index.ts'

const database = testDatabase()
let shop: FastifyInstance

const command = async (...parameters: string[]): Promise<unknown> => {
  const { status, stdout, stderr } = await akashi([...parameters, '--json'], {
    world: { environment: { DATABASE_URL: database.url('owner') } },
  })
  expect(status, stderr).toBe(0)
  return JSON.parse(stdout)
}

let url: string
const ask = (customer: string, method: string, path: string, body?: unknown) =>
  fetch(`${url}${path}`, {
    method,
    headers: {
      'x-customer': customer,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })

beforeAll(async () => {
  shop = await openShop(await prepareShop(database.url('owner'), command))
  url = await shop.listen({ port: 0 })
})
afterAll(async () => {
  await shop.close()
  await database.asSuperuser(async (session) => {
    await session.query('drop schema shop cascade')
    await session.query('drop role shop_app')
  })
})

it('shows customers what happened to their orders, and nobody else', async () => {
  for (const id of ['taro', 'hanako']) {
    const made = await ask(id, 'PUT', '/customer', { id, name: id, email: `${id}@example.jp` })
    expect(made.status).toBe(200)
  }
  const order = (await (await ask('taro', 'POST', '/orders', { item: '<tea>' })).json()) as { id: number }
  expect((await ask('hanako', 'POST', `/orders/${order.id}/return`)).status).toBe(404)
  expect((await ask('taro', 'POST', `/orders/${order.id}/return`)).status).toBe(200)
  expect((await ask('hanako', 'GET', `/orders/${order.id}/history`)).status).toBe(404)
  const page = await (await ask('taro', 'GET', `/orders/${order.id}/history`)).text()
  expect(page).toContain('state: placed → returned')
  expect(page).toContain('item:  → &#60;tea&#62;')
  expect(page).toContain('<td>taro</td>')
  expect(page).not.toContain('hanako')
})

it('forgets a customer: rows, orders and what the trail knows of them', async () => {
  expect((await ask('taro', 'DELETE', '/customer')).status).toBe(204)
  const rows = await database.asSuperuser((session) =>
    session.query("select from shop.orders where customer_id = 'taro'"),
  )
  expect(rows.rowCount).toBe(0)
  const salts = () =>
    database.asSuperuser((session) =>
      session
        .query("select from akashi_keys.digest_salts where data_subject = 'taro'")
        .then((r) => r.rowCount),
    )
  expect(await salts()).toBe(1)
  const wrong = await akashi(['keys', 'forget', 'taro', '--confirm', 'hanako', '--reason', 'asked for it'], {
    world: { environment: { DATABASE_URL: database.url('owner') } },
  })
  expect(wrong.status).toBe(2)
  expect(await command('keys', 'forget', 'taro', '--confirm', 'taro', '--reason', 'asked for it')).toEqual({
    person: 'taro',
    salts: 1,
  })
  expect(await salts()).toBe(0)
  const { rows: said } = await database.asSuperuser((session) =>
    session.query(
      "select detail, data_subject from akashi_audit.audit_logs where event_type = 'person_forgotten'",
    ),
  )
  expect(said).toEqual([{ detail: { salts: 1, reason: 'asked for it' }, data_subject: 'taro' }])
  const { rows: kept } = await database.asSuperuser((session) =>
    session.query(
      "select new_values::text as text from akashi_audit.audit_logs where table_name = 'customers'",
    ),
  )
  expect(JSON.stringify(kept)).not.toContain('taro@example.jp')
})

it('runs with one command', async () => {
  const main = spawn(process.execPath, [join(import.meta.dirname, '../../examples/shop/main.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(main, 'exit')
  let said = ''
  main.stdout.setEncoding('utf8')
  for await (const text of main.stdout) {
    said += text
    if (said.includes('bin/akashi verify')) break
  }
  const [, started = ''] = /^shop (\S+)$/m.exec(said) ?? []
  const made = await fetch(`${started}/customer`, {
    method: 'PUT',
    headers: { 'x-customer': 'taro', 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'taro', name: 'Taro', email: 'taro@example.jp' }),
  })
  expect(made.status).toBe(200)
  main.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
})
