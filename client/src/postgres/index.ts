/** The driver `postgres` (Postgres.js). */
import { readFile } from 'node:fs/promises'
import type { Sql } from 'postgres'
import { type CurrentActor, sameActor, signedActor } from '../actor.ts'
import { ContextError } from '../error.ts'
import type { Executor } from '../executor.ts'
import { type ContextOptions, ServerClock, Signer } from '../signer.ts'
import { explained, NOT_ACCEPTED, READ_SERVER, SET_CONTEXT } from '../wire.ts'
import type { AnySql, DriverQuery, TaggedSql } from './driver.ts'

export type { ContextOptions } from '../signer.ts'

/**
 * Gives a client the signed context: each transaction of `sql.begin()` inside of `withActor()` carries it, and each
 * single statement too, which gets a transaction around it. All of it is sent together; only `begin` of
 * `sql.begin()` waits for its answer, as without a context.
 *
 * @returns a client to use in place of `sql`, on the same connections
 * @throws ContextError for what is no context key
 */
export function withContext<S extends Sql>(sql: S, options: ContextOptions): S {
  return new ContextSql(sql as unknown as AnySql, new Signer(options)).wrapped as unknown as S
}

/** Runs statements of this package's functions, such as `recordAction()`, in a client or transaction. */
export function executor(sql: Pick<Sql, 'unsafe'>): Executor {
  return {
    query: async (text, values) => ({ rows: [...(await sql.unsafe(text, [...values] as never[]))] }),
  }
}

class ContextSql {
  readonly wrapped: AnySql
  readonly #sql: AnySql
  readonly #signer: Signer
  #server: ServerClock | undefined

  constructor(sql: AnySql, signer: Signer) {
    this.#sql = sql
    this.#signer = signer
    const { onclose } = sql.options
    sql.options.onclose = (id) => {
      // Perhaps the server was started anew, and with it the audience is another.
      this.#server = undefined
      onclose?.(id)
    }
    this.wrapped = Object.assign((...parameters: unknown[]) => this.#carry(sql(...parameters)), sql, {
      unsafe: (...parameters: unknown[]) => this.#carry(sql.unsafe(...parameters)),
      file: (path: string, ...parameters: unknown[]) => this.#carry(sql.file(path, ...parameters), path),
      begin: (...parameters: unknown[]) => this.#begin(parameters),
      reserve: async () => {
        if (signedActor() !== undefined) {
          throw new ContextError('a reserved connection carries no context', 'use sql.begin()')
        }
        return await sql.reserve()
      },
    }) as AnySql
  }

  /** A statement runs when it is awaited; until then it may as well become a part of another. */
  #carry(value: unknown, file?: string): unknown {
    if (!isQuery(value)) return value
    const send = value.handler
    value.handler = Object.assign(
      (query: DriverQuery) => {
        const actor = signedActor()
        if (actor === undefined) send(query)
        else this.#single(query, actor, file).catch((error: unknown) => query.reject(error))
      },
      { debug: send.debug },
    )
    return value
  }

  async #single(query: DriverQuery, actor: CurrentActor, file: string | undefined): Promise<void> {
    if (file !== undefined) query.strings = [await readFile(file, 'utf8')]
    const { resolve, reject } = query
    // Told when the transaction around it has ended.
    let tell = () => reject(new ContextError('the statement was not answered', 'try again'))
    const settled = new Promise<void>((done) => {
      query.resolve = (result) => {
        tell = () => resolve(result)
        done()
      }
      query.reject = (error) => {
        tell = () => reject(error)
        done()
      }
    })
    const connection = await this.#sql.reserve()
    try {
      const failed =
        (await this.#attempt(connection, query, actor)) && (await this.#attempt(connection, query, actor))
      if (failed) tell = () => reject(failed)
      else await settled
    } catch (error) {
      tell = () => reject(error)
    } finally {
      connection.release()
    }
    query.resolve = resolve
    query.reject = reject
    tell()
  }

  /** Sends everything at once. Returns why the context was not accepted, in which case nothing was done. */
  async #attempt(connection: AnySql, query: DriverQuery, actor: CurrentActor): Promise<unknown> {
    const server = await this.#knowServer(connection)
    const run = connection.unsafe('select').handler
    const send = (statement: DriverQuery) => {
      statement.executed = true
      run(statement)
      return statement
    }
    const begin = send(connection.unsafe('begin'))
    const context = send(this.#context(connection, actor, server))
    void send(query)
    const commit = send(connection.unsafe('commit'))
    const [began, set, committed] = await Promise.allSettled([begin, context, commit])
    for (const step of [began, set]) {
      if (step.status !== 'rejected') continue
      if (codeOf(step.reason) === NOT_ACCEPTED) this.#server = undefined
      return explained(step.reason, codeOf(step.reason))
    }
    if (committed.status === 'rejected') throw committed.reason
    return undefined
  }

  async #begin(parameters: unknown[]): Promise<unknown> {
    const work = parameters.at(-1) as (tx: AnySql) => unknown
    const modes = parameters.length > 1 ? String(parameters[0]) : ''
    const actor = signedActor()
    if (actor === undefined) return await this.#sql.begin(modes, work)
    return await this.#sql.begin(modes, async (tx: AnySql) => {
      const server = await this.#knowServer(tx)
      const context = this.#context(tx, actor, server).execute()
      context.catch(() => undefined)
      try {
        const result = work(guarded(tx, actor))
        const settled = await (Array.isArray(result) ? Promise.all(result) : result)
        await context
        return settled
      } catch (error) {
        await context.catch((cause: unknown) => {
          if (codeOf(cause) === NOT_ACCEPTED) this.#server = undefined
          throw explained(cause, codeOf(cause))
        })
        throw error
      }
    })
  }

  #context(sql: AnySql, actor: CurrentActor, server: ServerClock): DriverQuery {
    return sql.unsafe(SET_CONTEXT, [this.#signer.sign(actor, server)], { prepare: true })
  }

  async #knowServer(sql: AnySql): Promise<ServerClock> {
    if (this.#server === undefined) {
      const [row] = (await sql.unsafe(READ_SERVER).then(
        (rows) => rows,
        (error: unknown) => Promise.reject(explained(error, codeOf(error))),
      )) as { server: string }[]
      this.#server = new ServerClock(String(row?.server))
    }
    return this.#server
  }
}

/** A transaction that refuses statements of anybody else: they would be recorded as the actor's. */
function guarded(tx: AnySql, actor: CurrentActor): AnySql {
  const check = <T>(run: () => T): T => {
    const now = signedActor()
    if (now === undefined || !sameActor(now, actor)) {
      throw new ContextError(
        'a statement of one actor in a transaction of another',
        'begin a transaction for each actor, inside of its withActor()',
      )
    }
    return run()
  }
  const tagged: TaggedSql = (...parameters) => check(() => tx(...parameters))
  return Object.assign(tagged, tx, {
    unsafe: (...parameters: unknown[]) => check(() => tx.unsafe(...parameters)),
    file: (...parameters: unknown[]) => check(() => tx.file(...parameters)),
    savepoint: (...parameters: unknown[]) => {
      const work = parameters.pop() as (savepoint: AnySql) => unknown
      return check(() => tx.savepoint(...parameters, (savepoint: AnySql) => work(guarded(savepoint, actor))))
    },
  }) as AnySql
}

function isQuery(value: unknown): value is DriverQuery {
  return value instanceof Promise && 'handler' in value
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
