import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { AkashiError, given, POOL_SIZE, STATEMENT_TIMEOUT_MS, tracedPart } from '../foundation/index.ts'
import { abortError } from './abort.ts'
import type { Actor } from './actor.ts'
import { Client, clientConfig } from './client.ts'
import type { ContextKey } from './context.ts'
import { ContextSigner } from './context-signer.ts'
import { runDirect } from './direct.ts'
import {
  CONNECTION_LIFETIME_S,
  POOL_IDLE_MS,
  RETRY_BACKOFF_MAX_MS,
  RETRY_BACKOFF_MS,
  TRANSACTION_RETRIES,
} from './limits.ts'
import { requireRoles } from './membership.ts'
import type { DatabaseRole } from './role.ts'
import { SQLSTATE, sqlState, toAkashiError } from './sqlstate.ts'
import { isReusable, runTransaction, type TransactionEnvironment } from './transaction.ts'
import type { Database, Session, TransactionOptions } from './types.ts'

export interface DatabaseOptions {
  /** May point to a pooler in transaction mode. */
  readonly url: string
  /** Points to the server itself; default `url`. */
  readonly directUrl?: string
  /** The role of every transaction; the login is the role's own or a member of it. */
  readonly role: DatabaseRole
  /** Without it, request contexts are recorded as claimed and row-level security treats everybody as anonymous. */
  readonly contextKey?: ContextKey
  /** Maximum number of connections; default POOL_SIZE. */
  readonly poolSize?: number
  /** Milliseconds after which an unused connection is closed; default POOL_IDLE_MS. */
  readonly idleMs?: number
  /** Seconds that a connection is used for; default CONNECTION_LIFETIME_S. */
  readonly lifetimeS?: number
  /** Milliseconds for one statement; default STATEMENT_TIMEOUT_MS. */
  readonly statementTimeoutMs?: number
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string
}

/** As OpenTelemetry names databases. */
const ofDatabase = { 'db.system.name': 'postgresql' } as const

/** Connects on first use, so it can be called before the server runs. */
export function openDatabase(options: DatabaseOptions): Database {
  const { url, directUrl = url, role, applicationName = 'akashi' } = options
  const environment: TransactionEnvironment = {
    role,
    signer: new ContextSigner(options.contextKey),
    statementTimeoutMs: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
  }
  const pool = createPool(url, applicationName, options)
  let closed: Promise<void> | undefined
  return {
    role,
    transaction: (actor, work, transactionOptions = {}) =>
      tracedPart('transaction', { kind: 'client', attributes: { ...ofDatabase, 'akashi.role': role } }, () =>
        withRetries(pool, environment, actor, work, transactionOptions),
      ),
    direct: (work, directOptions = {}) =>
      runDirect(directUrl, applicationName, environment, work, directOptions),
    close: () => {
      closed ??= pool.end()
      return closed
    },
  }
}

function createPool(
  url: string,
  applicationName: string,
  {
    role,
    poolSize: max = POOL_SIZE,
    idleMs = POOL_IDLE_MS,
    lifetimeS = CONNECTION_LIFETIME_S,
  }: DatabaseOptions,
): pg.Pool {
  const pool = new pg.Pool({
    ...clientConfig(url, applicationName),
    max,
    idleTimeoutMillis: idleMs,
    maxLifetimeSeconds: lifetimeS,
    Client,
    verify: (client, done) => {
      requireRoles(trackedClient(client), [role]).then(
        () => done(),
        (error: unknown) => done(toAkashiError(error)),
      )
    },
  })
  // A connection that fails while idle is replaced at the next use.
  pool.on('error', () => undefined)
  return pool
}

async function withRetries<T>(
  pool: pg.Pool,
  environment: TransactionEnvironment,
  actor: Actor,
  work: (session: Session) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  const retries = options.retries ?? TRANSACTION_RETRIES
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await onPooledClient(pool, options.signal, (client) =>
        runTransaction(client, environment, actor, work, options),
      )
    } catch (error) {
      if (attempt >= retries || !isTransient(error)) {
        throw error
      }
    }
    const backoff = Math.min(RETRY_BACKOFF_MS * 2 ** attempt, RETRY_BACKOFF_MAX_MS)
    await sleep(Math.random() * backoff, undefined, given({ signal: options.signal })).catch(() =>
      Promise.reject(abortError(options.signal)),
    )
  }
}

/** Both mean that the server rolled the transaction back, even when reported in response to COMMIT. */
function isTransient(error: unknown): boolean {
  const state = sqlState(error)
  return state === SQLSTATE.serializationFailure || state === SQLSTATE.deadlock
}

async function onPooledClient<T>(
  pool: pg.Pool,
  signal: AbortSignal | undefined,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const pooled = await acquire(pool, signal)
  // The pool listens for errors only while the connection is idle, and an unhandled error ends the process.
  const onError = () => undefined
  pooled.on('error', onError)
  const client = trackedClient(pooled)
  try {
    return await use(client)
  } finally {
    pooled.off('error', onError)
    pooled.release(!isReusable(client))
  }
}

async function acquire(pool: pg.Pool, signal: AbortSignal | undefined): Promise<pg.PoolClient> {
  if (signal?.aborted === true) {
    throw abortError(signal)
  }
  if (pool.ending) {
    throw new AkashiError('unavailable', 'the connection pool is closed')
  }
  const connecting = pool.connect().catch((error: unknown) => Promise.reject(toAkashiError(error)))
  if (signal === undefined) {
    return await connecting
  }
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(abortError(signal))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([connecting, aborted])
  } catch (error) {
    connecting.then(
      (client) => client.release(),
      () => undefined,
    )
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function trackedClient(client: pg.ClientBase): Client {
  if (!(client instanceof Client)) {
    throw new AkashiError('internal', 'the pool created a connection of another kind')
  }
  return client
}
