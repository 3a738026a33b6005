/** The driver `pg`, and everything that sits on it: Drizzle, Kysely, TypeORM, Knex, MikroORM, Sequelize, Prisma. */
import { AsyncResource } from 'node:async_hooks'
import type pg from 'pg'
import type { Client, Pool, PoolClient } from 'pg'
import { type ContextOptions, Signer } from '../signer.ts'
import { contextClient, isIdle } from './client.ts'

export type { ContextOptions } from '../signer.ts'

/**
 * Gives a pool the signed context: each transaction that begins inside of `withActor()` carries it, and each single
 * statement outside of a transaction too, without another round trip. Call it before the pool connects.
 *
 * @returns the same pool
 * @throws ContextError for what is no context key
 */
export function withContext<P extends Pool>(pool: P, options: ContextOptions): P {
  const internals = pool as unknown as { Client: typeof Client }
  internals.Client = contextClient(internals.Client, new Signer(options))
  guardConnect(pool)
  return pool
}

type Connected = (
  error: Error | undefined,
  client: PoolClient | undefined,
  done: PoolClient['release'],
) => void

/**
 * A caller that waits for a connection gets it from the one that releases it, and must not take over its
 * actor.
 */
function guardConnect(pool: Pool): void {
  const connect = pool.connect.bind(pool) as ((callback: Connected) => void) & (() => Promise<PoolClient>)
  const guarded = (callback?: Connected) => {
    if (callback === undefined) return connect().then(guardRelease)
    return connect(
      AsyncResource.bind<Connected, unknown>((error, client, done) =>
        client === undefined
          ? callback(error, client, done)
          : callback(error, client, guardRelease(client).release),
      ),
    )
  }
  Object.assign(pool, { connect: guarded })
}

/**
 * A connection that is released in the middle of a transaction is closed, because the next user would
 * continue that transaction.
 */
function guardRelease(client: PoolClient): PoolClient {
  const { release } = client
  client.release = (error) => release(error ?? !isIdle(client))
  return client
}

/**
 * The driver for libraries that open their own pool: TypeORM's option `driver`, Sequelize's `dialectModule`.
 *
 * @param driver the module `pg`
 */
export function contextDriver(driver: typeof pg, options: ContextOptions): typeof pg {
  const signer = new Signer(options)
  const ContextClient = contextClient(driver.Client, signer)
  class ContextPool extends driver.Pool {
    constructor(poolOptions?: pg.PoolConfig) {
      super({ ...poolOptions, Client: ContextClient as unknown as new () => pg.ClientBase })
      guardConnect(this)
    }
  }
  return Object.assign(Object.create(driver) as typeof pg, { Client: ContextClient, Pool: ContextPool })
}
