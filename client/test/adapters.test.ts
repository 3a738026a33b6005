import {
  asOf,
  currentActor,
  type Executor,
  history,
  recordAccess,
  recordAction,
  recordEvent,
  search,
  withActor,
} from '@akashi/client'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { hasPgBouncer, type Pooler, startPgBouncer } from '../../test/support/index.ts'
import { type Application, adapters } from './adapters.ts'
import { shopDatabase } from './database.ts'

const shop = shopDatabase()
const opened: Application[] = []

async function open(name: string, options: { url?: string; pooled?: boolean } = {}): Promise<Application> {
  const adapter = adapters[name]
  if (adapter === undefined) throw new Error(name)
  const application = await adapter({ url: shop.appUrl, key: shop.key, connections: CONNECTIONS, ...options })
  opened.push(application)
  return application
}

beforeAll(() =>
  shop.asSuperuser((session) =>
    session.query('select akashi_audit.protect($1, history_readers => $2)', ['orders', [shop.login]]),
  ),
)
afterEach(async () => {
  for (const application of opened.splice(0)) await application.close()
})

const CONNECTIONS = 4
const REQUESTS = process.env['AKASHI_LONG'] === '1' ? 10_000 : 240
/** More wait for a connection than there are. */
const AT_ONCE = 32

const VERIFIED = 'select akashi_auth.context_user() as user, akashi_auth.context_verified() as ok'

class Intended extends Error {}

/** What requests do, by turns; those that fail leave nothing. */
const requests: readonly ((application: Application, item: string) => Promise<'kept' | 'gone'>)[] = [
  async (application, item) => {
    await application.insert(item)
    return 'kept'
  },
  async (application, item) => {
    await application.insertInTransaction(item, (tx) => tx.query('select pg_sleep(0.001)::text', []))
    return 'kept'
  },
  async (application, item) => {
    await expect(
      application.insertInTransaction(item, () => Promise.reject(new Intended('changed their mind'))),
    ).rejects.toThrow(Intended)
    return 'gone'
  },
  async (application, item) => {
    await expect(application.insertInTransaction(item, (tx) => tx.query('select 1/0', []))).rejects.toThrow()
    return 'gone'
  },
  async (application, item) => {
    await expect(
      application.insertInTransaction(item, async (tx) => {
        await tx.query("select set_config('statement_timeout', '1ms', true)", [])
        await tx.query('select pg_sleep(1)::text', [])
      }),
    ).rejects.toThrow()
    return 'gone'
  },
  async (application) => {
    await expect(application.executor.query('select 1/0', [])).rejects.toThrow()
    return 'gone'
  },
]

/** Runs interleaved requests, of which some act for nobody, and compares what they left with who they were. */
async function interleave(application: Application, prefix: string, count: number): Promise<void> {
  const kept: { item: string; user: string | null }[] = []
  let next = 0
  const worker = async () => {
    for (let number = next++; number < count; number = next++) {
      const item = `${prefix}${number}`
      const request = requests[number % requests.length]
      const nobody = number % 7 === 6
      const run = async () => {
        const outcome = await request?.(application, item)
        const seen = (await application.executor.query(VERIFIED, [])).rows[0]
        expect(seen).toEqual(nobody ? { user: null, ok: false } : { user: item, ok: true })
        expect(currentActor()?.userId).toBe(nobody ? undefined : item)
        if (outcome === 'kept') kept.push({ item, user: nobody ? null : item })
      }
      await (nobody ? run() : withActor({ userId: item, requestId: item }, run))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const { rows } = await shop.asSuperuser((session) =>
    session.query<{ item: string; user: string | null; ok: boolean; request: string | null }>(
      `select new_values ->> 'item' as item, user_id as user, context_verified as ok, request_id as request
       from akashi_audit.audit_logs where table_name = 'orders' and new_values ->> 'item' ^@ $1`,
      [prefix],
    ),
  )
  const byItem = (one: { item: string }, other: { item: string }) => one.item.localeCompare(other.item)
  expect([...rows].sort(byItem)).toEqual(
    kept.map(({ item, user }) => ({ item, user, ok: user !== null, request: user })).sort(byItem),
  )
}

describe.each(Object.keys(adapters))('%s', (name) => {
  it('signs what it does, interleaved with errors and time-outs, and mixes up nobody', async () => {
    await interleave(await open(name), `${name}-`, REQUESTS)
  })

  it('records actions and events in the transaction, and reads the history of its table', async () => {
    const application = await open(name)
    const item = `${name} history`
    const id = await withActor({ userId: 'hanako', requestId: item }, async () => {
      await application.insertInTransaction(item, async (tx) => {
        await recordAction(tx, { eventType: 'order_placed', action: 'place', detail: { item } })
        await recordEvent(tx, {
          ...{ type: 'order_placed', category: 'data_access', severity: 'info', service: 'shop' },
          details: { item },
        })
      })
      await expect(
        application.insertInTransaction('never', async (tx) => {
          await recordAction(tx, { eventType: 'order_refused', action: 'refuse' })
          throw new Intended('no')
        }),
      ).rejects.toThrow(Intended)
      return await idOf(application.executor, item)
    })
    const page = await withActor({ userId: 'taro' }, () =>
      history(application.executor, { table: 'orders', id }),
    )
    expect(page.rows).toMatchObject([
      { operation: 'INSERT', userId: 'hanako', newValues: { item }, signedBy: 'shop' },
    ])
    const accessId = await withActor({ userId: 'taro', requestId: `${item} read` }, () =>
      recordAccess(application.executor, { resource: 'orders', ids: [String(id)] }),
    )
    expect(await asOf(application.executor, { table: 'orders', id }, new Date())).toMatchObject({
      state: 'present',
      values: { item },
    })
    const found = await withActor({ userId: 'taro' }, () =>
      search(application.executor, { requestId: `${item} read` }),
    )
    expect(found.rows).toMatchObject([{ id: accessId, userId: 'taro', resource: 'orders' }])
    const { rows } = await shop.asSuperuser((session) =>
      session.query(
        `select event_type from akashi_audit.audit_logs where request_id = $1 and event_type <> 'data_change'
         union all select event_type from akashi_security.security_events where event_details ->> 'item' = $1`,
        [item],
      ),
    )
    expect(rows).toEqual([{ event_type: 'order_placed' }, { event_type: 'order_placed' }])
  })
})

async function idOf(executor: Executor, item: string): Promise<number> {
  const { rows } = await executor.query('select id from public.orders where item = $1::text', [item])
  return (rows[0] as { id: number }).id
}

describe.runIf(hasPgBouncer())('behind PgBouncer in transaction mode', () => {
  let pooler: Pooler
  beforeAll(async () => {
    pooler = await startPgBouncer([shop.appUrl], 3)
    return () => pooler.stop()
  })

  it.each(['pg', 'postgres', 'knex'])('%s signs what it does', async (name) => {
    const application = await open(name, { url: pooler.url(shop.appUrl), pooled: true })
    await interleave(application, `pooled ${name}-`, REQUESTS / 4)
  })
})
