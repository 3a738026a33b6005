/** A shop with Fastify and Drizzle: who a request is for is said once, and nothing below passes it on. */
import { history } from '@akashi/client'
import { executor, withContext } from '@akashi/client/drizzle'
import { requestContext } from '@akashi/client/fastify'
import { eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { integer, pgSchema, text } from 'drizzle-orm/pg-core'
import Fastify, { type FastifyInstance } from 'fastify'
import pg from 'pg'
import { historyPage } from './history-page.ts'

const shop = pgSchema('shop')
const customers = shop.table('customers', {
  id: text().primaryKey(),
  name: text().notNull(),
  email: text().notNull(),
})
const orders = shop.table('orders', {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  customerId: text('customer_id').notNull(),
  item: text().notNull(),
  state: text().notNull().default('placed'),
})

interface Configuration {
  readonly databaseUrl: string
  readonly contextKey: string
}

export async function openShop({ databaseUrl, contextKey }: Configuration): Promise<FastifyInstance> {
  const pool = withContext(new pg.Pool({ connectionString: databaseUrl }), { key: contextKey })
  const db = drizzle({ client: pool })
  const app = Fastify()
  app.addHook('onClose', () => pool.end())
  // A real shop checks a session here. This one believes the header: it is about what comes after.
  await app.register(requestContext, {
    user: (request) => [request.headers['x-customer']].flat()[0],
    applicationVersion: 'shop 1.0',
  })

  app.put<{ Body: { id: string; name: string; email: string } }>('/customer', async ({ body }) => {
    await db.insert(customers).values(body)
    return { id: body.id }
  })

  app.post<{ Body: { item: string } }>('/orders', async ({ body }) => {
    const [order] = await db
      .insert(orders)
      .values({ item: body.item, customerId: sql`shop.customer()` })
      .returning()
    return order
  })

  app.post<{ Params: { id: string } }>('/orders/:id/return', async ({ params }, reply) => {
    const [order] = await db
      .update(orders)
      .set({ state: 'returned' })
      .where(eq(orders.id, Number(params.id)))
      .returning()
    return order ?? reply.code(404).send({ error: 'there is no such order of yours' })
  })

  app.get<{ Params: { id: string } }>('/orders/:id/history', async ({ params }, reply) => {
    const id = Number(params.id)
    // The history of a table is not restricted by its row-level security, so ask for the row first.
    const [own] = await db.select({ id: orders.id }).from(orders).where(eq(orders.id, id))
    if (own === undefined) return await reply.code(404).send({ error: 'there is no such order of yours' })
    const { rows } = await history(executor(db), { table: 'shop.orders', id })
    return await reply.type('text/html; charset=utf-8').send(historyPage(id, rows))
  })

  // The rows go, orders with them; `akashi keys forget` then makes what the trail knows of the person unreadable.
  app.delete('/customer', async (_request, reply) => {
    await db.delete(customers)
    return await reply.code(204).send()
  })
  return app
}
