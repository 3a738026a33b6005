/** What each adapter does with one application: how it opens, writes by itself and in a transaction. */
import type { Executor } from '@akashi/client'
import * as onDrizzle from '@akashi/client/drizzle'
import * as onKnex from '@akashi/client/knex'
import * as onKysely from '@akashi/client/kysely'
import * as onPg from '@akashi/client/pg'
import * as onPostgres from '@akashi/client/postgres'
import * as onPrisma from '@akashi/client/prisma'
import * as onSequelize from '@akashi/client/sequelize'
import * as onTypeorm from '@akashi/client/typeorm'
import { PrismaPg } from '@prisma/adapter-pg'
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { drizzle as drizzleOnPostgres } from 'drizzle-orm/postgres-js'
import knex from 'knex'
import { Kysely, sql as kyselySql, PostgresDialect } from 'kysely'
import pg from 'pg'
import postgres from 'postgres'
import { Sequelize } from 'sequelize'
import { DataSource } from 'typeorm'
import { PrismaClient } from './prisma/generated/client.ts'

export interface Options {
  readonly url: string
  /** Undefined for the library by itself. */
  readonly key: string | undefined
  readonly connections: number
  /** Behind a pooler in transaction mode, where statements have no names. */
  readonly pooled?: boolean
}

export interface Application {
  /** Inserts an order in a statement by itself. */
  insert(item: string): Promise<unknown>
  /** Does the same in a transaction, and `also` before it ends. */
  insertInTransaction(item: string, also?: (executor: Executor) => Promise<unknown>): Promise<unknown>
  /** Runs a statement by itself. */
  readonly executor: Executor
  close(): Promise<unknown>
}

type Adapter = (options: Options) => Promise<Application>

const INSERT = 'insert into public.orders (item) values ($1)'

function pool({ url, key, connections }: Options): pg.Pool {
  const opened = new pg.Pool({ connectionString: url, max: connections })
  opened.on('error', () => undefined)
  return key === undefined ? opened : onPg.withContext(opened, { key })
}

function sql({ url, key, connections, pooled = false }: Options): postgres.Sql {
  const opened = postgres(url, { max: connections, prepare: !pooled, onnotice: () => undefined })
  return key === undefined ? opened : onPostgres.withContext(opened, { key })
}

export const adapters: Readonly<Record<string, Adapter>> = {
  pg: async (options) => {
    const opened = pool(options)
    return {
      insert: (item) => opened.query(INSERT, [item]),
      insertInTransaction: async (item, also) => {
        const client = await opened.connect()
        try {
          await client.query('begin')
          await client.query(INSERT, [item])
          await also?.(client)
          await client.query('commit')
        } catch (error) {
          await client.query('rollback')
          throw error
        } finally {
          client.release()
        }
      },
      executor: opened,
      close: () => opened.end(),
    }
  },
  postgres: async (options) => {
    const opened = sql(options)
    return {
      insert: async (item) => await opened`insert into public.orders (item) values (${item})`,
      insertInTransaction: (item, also) =>
        opened.begin(async (tx) => {
          await tx`insert into public.orders (item) values (${item})`
          await also?.(onPostgres.executor(tx))
        }),
      executor: onPostgres.executor(opened),
      close: () => opened.end(),
    }
  },
  'drizzle on pg': async (options) => {
    const opened = pool(options)
    const db = drizzle({ client: opened })
    return {
      insert: (item) => db.execute(drizzleSql`insert into public.orders (item) values (${item})`),
      insertInTransaction: (item, also) =>
        db.transaction(async (tx) => {
          await tx.execute(drizzleSql`insert into public.orders (item) values (${item})`)
          await also?.(onDrizzle.executor(tx))
        }),
      executor: onDrizzle.executor(db),
      close: () => opened.end(),
    }
  },
  'drizzle on postgres': async (options) => {
    const opened = sql(options)
    const db = drizzleOnPostgres({ client: opened })
    return {
      insert: async (item) => await db.execute(drizzleSql`insert into public.orders (item) values (${item})`),
      insertInTransaction: (item, also) =>
        db.transaction(async (tx) => {
          await tx.execute(drizzleSql`insert into public.orders (item) values (${item})`)
          await also?.(onDrizzle.executor(tx))
        }),
      executor: onDrizzle.executor(db),
      close: () => opened.end(),
    }
  },
  kysely: async (options) => {
    const db = new Kysely<{ orders: { item: string } }>({
      dialect: new PostgresDialect({ pool: pool(options) }),
    }).withSchema('public')
    return {
      insert: (item) => db.insertInto('orders').values({ item }).execute(),
      insertInTransaction: (item, also) =>
        db.transaction().execute(async (trx) => {
          await kyselySql`insert into public.orders (item) values (${item})`.execute(trx)
          await also?.(onKysely.executor(trx))
        }),
      executor: onKysely.executor(db),
      close: () => db.destroy(),
    }
  },
  typeorm: async ({ url, key, connections }) => {
    const source = await new DataSource({
      type: 'postgres',
      url,
      ...(key === undefined ? {} : { driver: onTypeorm.contextDriver(pg, { key }) }),
      extra: { max: connections },
    }).initialize()
    return {
      insert: (item) => source.query(INSERT, [item]),
      insertInTransaction: (item, also) =>
        source.transaction('SERIALIZABLE', async (manager) => {
          await manager.query(INSERT, [item])
          await also?.(onTypeorm.executor(manager))
        }),
      executor: onTypeorm.executor(source),
      close: () => source.destroy(),
    }
  },
  knex: async ({ url, key, connections }) => {
    const db = knex({ client: 'pg', connection: url, pool: { min: 0, max: connections } })
    if (key !== undefined) onKnex.withContext(db, { key })
    return {
      insert: async (item) => await db.withSchema('public').table('orders').insert({ item }),
      insertInTransaction: (item, also) =>
        db.transaction(async (trx) => {
          await trx.withSchema('public').table('orders').insert({ item })
          await also?.(onKnex.executor(trx))
        }),
      executor: onKnex.executor(db),
      close: () => db.destroy(),
    }
  },
  sequelize: async ({ url, key, connections }) => {
    const db = new Sequelize(url, {
      logging: false,
      pool: { max: connections },
      ...(key === undefined ? {} : { dialectModule: onSequelize.contextDriver(pg, { key }) }),
    })
    return {
      insert: (item) => db.query(INSERT, { bind: [item] }),
      insertInTransaction: (item, also) =>
        db.transaction(async (transaction) => {
          await db.query(INSERT, { bind: [item], transaction })
          await also?.(onSequelize.executor(db, transaction))
        }),
      executor: onSequelize.executor(db),
      close: () => db.close(),
    }
  },
  prisma: async (options) => {
    const opened = pool(options)
    const db = new PrismaClient({ adapter: new PrismaPg(opened) })
    return {
      insert: (item) => db.orders.create({ data: { item } }),
      insertInTransaction: (item, also) =>
        db.$transaction(async (tx) => {
          await tx.orders.create({ data: { item } })
          await also?.(onPrisma.executor(tx))
        }),
      executor: onPrisma.executor(db),
      close: async () => {
        await db.$disconnect()
        await opened.end()
      },
    }
  },
}
