import { AsyncResource } from 'node:async_hooks'
import type { Client } from 'pg'
import { signedActor, withoutActor } from '../actor.ts'
import { ContextError } from '../error.ts'
import type { Signer } from '../signer.ts'
import { type Carrier, carryContext } from './carry.ts'
import type { ClientClass, ClientInternals, DriverQuery, ReadyForQuery } from './driver.ts'
import { ConnectionState } from './session.ts'

const states = new WeakMap<object, ConnectionState>()

/** Whether the next user of a connection finds nothing of this one. */
export function isIdle(client: Client): boolean {
  const { _queryQueue: waiting, _activeQuery: active } = client as unknown as ClientInternals
  return states.get(client)?.status === 'I' && waiting.length === 0 && active === null
}

/** The driver's client, with the context of the current actor in each transaction. */
export function contextClient(Base: typeof Client, signer: Signer): typeof Client {
  const { Query } = Base as unknown as ClientClass

  class ContextClient extends Base {
    readonly #carrier: Carrier

    constructor(...options: ConstructorParameters<typeof Client>) {
      super(...options)
      if (this.connection === undefined || this.pipeline) {
        throw new ContextError(
          'contexts need the JavaScript driver without its option `pipeline`',
          'use pg.Client, not pg.native',
        )
      }
      const state = new ConnectionState()
      states.set(this, state)
      this.connection.on('readyForQuery', ({ status }: ReadyForQuery) => state.ready(status))
      const { _queryQueue: waiting } = this as unknown as ClientInternals
      this.#carrier = { state, signer, again: (query) => waiting.unshift(query) }
    }

    override connect(...args: never[]): never {
      // Later callbacks of the socket must not act for the caller that happened to open it.
      return withoutActor(() => Reflect.apply(super.connect, this, args)) as never
    }

    override query(config: unknown, values?: unknown, callback?: unknown): never {
      if (isQuery(config)) {
        carryContext(config, signedActor(), this.#carrier, config instanceof Query)
        return Reflect.apply(super.query, this, [config, bound(values), bound(callback)]) as never
      }
      const query = new Query(config, bound(values), bound(callback))
      const timeout = (config as { query_timeout?: number } | null)?.query_timeout
      if (timeout !== undefined) Object.assign(query, { query_timeout: timeout })
      carryContext(query, signedActor(), this.#carrier, true)
      const { promise, settle } =
        query.callback === undefined ? pending() : { promise: undefined, settle: undefined }
      if (settle !== undefined) query.callback = settle
      Reflect.apply(super.query, this, [query])
      return promise as never
    }
  }
  return ContextClient
}

function isQuery(value: unknown): value is DriverQuery {
  return (
    typeof value === 'object' && value !== null && 'submit' in value && typeof value.submit === 'function'
  )
}

/** A callback runs for the actor of its caller, not for the one that opened the connection. */
function bound(value: unknown): unknown {
  return typeof value === 'function' ? AsyncResource.bind(value as () => void) : value
}

function pending() {
  let settle: (error: unknown, result: unknown) => void = () => undefined
  const promise = new Promise((resolve, reject) => {
    settle = (error, result) => (error ? reject(error) : resolve(result))
  }).catch((error: unknown) => {
    // The stack leads to the socket; with this one it leads to the caller.
    if (error instanceof Error) Error.captureStackTrace(error)
    throw error
  })
  return { promise, settle }
}
