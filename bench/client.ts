/** What the signed context costs an application, in each library. */
import { randomBytes } from 'node:crypto'
import { type Application, adapters } from '../client/test/adapters.ts'
import { benchCluster } from './cluster.ts'
import { atMost, type Benchmark, figure, interleave, median, ratio } from './harness.ts'

const TRANSACTIONS = 1_000

export const client: Benchmark = {
  name: 'client',
  description:
    'transaction of one insert into an audited table by one connection, with the signed context ÷ without, by adapter',
  async run(options) {
    const cluster = await benchCluster()
    const opened: Application[] = []
    try {
      const secret = randomBytes(32)
      await cluster.asAdministrator(async (session) => {
        await session.query("create role shop_app login password 'bench' in role akashi_client")
        await session.query(
          'create table public.orders (id int primary key generated always as identity, item text)',
        )
        await session.query('grant all on public.orders to shop_app')
        await session.query("select akashi_audit.protect('public.orders')")
        await session.query("select akashi_auth.add_context_key('shop-bench', $1, 'shop', 'shop_app')", [
          secret,
        ])
      })
      const url = new URL(cluster.connections.adminUrl)
      url.username = 'shop_app'
      url.password = 'bench'
      const key = `akctx_shop-bench_${secret.toString('hex')}`
      const count = Math.round(TRANSACTIONS * options.scale)
      const results = []
      const { withActor } = await import('@akashi/client')
      for (const [name, adapter] of Object.entries(adapters)) {
        const open = async (signing: string | undefined) => {
          const application = await adapter({ url: url.href, key: signing, connections: 1 })
          opened.push(application)
          return application
        }
        const [plain, signed] = [await open(undefined), await open(key)]
        const actor = { userId: 42, clientIp: '203.0.113.9', requestId: 'bench', apiEndpoint: 'POST /orders' }
        const time = (application: Application) => async () => {
          const begun = performance.now()
          for (let at = 0; at < count; at += 1) {
            await withActor(actor, () => application.insertInTransaction('tea'))
          }
          return (performance.now() - begun) / count
        }
        const figures = await interleave(
          { [`${name} signed`]: time(signed), [`${name} plain`]: time(plain) },
          options,
        )
        const [with_ = [], without = []] = [figures[`${name} signed`], figures[`${name} plain`]]
        results.push(
          atMost(`${name}: transaction with context ÷ without`, ratio(with_, without), '', 1.1),
          figure(`${name}: transaction without context`, median(without), 'ms'),
        )
      }
      return results
    } finally {
      for (const application of opened) await application.close()
      await cluster.close()
    }
  },
}
