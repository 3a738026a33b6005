/** SQL over all data: closed partitions from Parquet, open ones from PostgreSQL, under one table name. */

import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { DEFAULT_QUERY_ROWS } from '@akashi/contract'
import { AkashiError, makeScratchFolder } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { type Cache, cacheFolder, openCache } from './cache.ts'
import type { Manifests } from './cold.ts'
import { openEngines } from './engine.ts'
import { execute, type Job } from './execute.ts'
import { DEFAULT_TIMEOUT_MS, ENGINE_MEMORY, ENGINE_THREADS, MAX_RESULT_BYTES } from './limits.ts'
import type { Limits } from './protocol.ts'
import { checkRequest, type QueryRequest, type QueryResult } from './request.ts'

export interface Queries {
  /**
   * Runs one SELECT. The actor's access to every table that it names is recorded before the table is read.
   *
   * @throws invalid_input for an invalid query; forbidden for other statements than SELECT; too_large and timeout for
   *   exceeded limits; conflict with `detail.frozen` when objects must be thawed first
   */
  run(actor: Actor, request: QueryRequest): Promise<QueryResult>
  /** Requests frozen objects, as an error's `detail.frozen` names them, from the store. @returns those that are not readable yet */
  thaw(objects: readonly string[]): Promise<readonly string[]>
  /** Stops the engines; running queries fail. */
  close(): void
}

export interface QueriesOptions {
  /** Of a role that can read all rows, such as `security_admin`. */
  readonly database: Database
  readonly store: ObjectStore
  /** The cache folder; default: a private folder in the system's temporary folder. */
  readonly folder?: string
}

export function openQueries({ database, store, folder }: QueriesOptions): Queries {
  const engines = openEngines()
  const manifests: Manifests = new Map()
  let cache: Promise<Cache> | undefined
  const opened = () => {
    cache ??= cacheFolder(folder).then((path) => openCache(path, store))
    return cache
  }
  return {
    run: async (actor, request) => {
      checkRequest(request)
      const timeoutMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS
      const signals = [
        AbortSignal.timeout(timeoutMs),
        ...(request.signal === undefined ? [] : [request.signal]),
      ]
      const signal = AbortSignal.any(signals)
      const scratch = await makeScratchFolder('query-hot')
      const engine = await engines.borrow()
      const stop = () => engine.kill(stopError(request.signal, timeoutMs))
      signal.addEventListener('abort', stop, { once: true })
      try {
        signal.throwIfAborted()
        const limits: Limits = {
          memory: request.memory ?? ENGINE_MEMORY,
          threads: Math.min(ENGINE_THREADS, availableParallelism()),
          rows: request.rows ?? DEFAULT_QUERY_ROWS,
          bytes: request.bytes ?? (request.sink === undefined ? MAX_RESULT_BYTES : Number.MAX_SAFE_INTEGER),
        }
        const job: Job = {
          engine,
          limits,
          database,
          store,
          manifests,
          cache: await opened(),
          scratch,
          signal,
          timeoutMs,
        }
        return await execute(job, actor, request)
      } catch (error) {
        if (signal.aborted) throw stopError(request.signal, timeoutMs)
        throw error
      } finally {
        signal.removeEventListener('abort', stop)
        engines.giveBack(engine)
        await rm(scratch, { recursive: true, force: true })
      }
    },
    thaw: async (objects) => {
      if (!canThaw(store)) return []
      const waiting: string[] = []
      for (const key of objects) if ((await store.thaw(key)) === 'thawing') waiting.push(key)
      return waiting
    },
    close: () => engines.close(),
  }
}

/** A store that can thaw objects. */
interface Thawing {
  thaw(key: string): Promise<'readable' | 'thawing'>
}

function canThaw(store: ObjectStore): store is ObjectStore & Thawing {
  return 'thaw' in store && typeof store.thaw === 'function'
}

function stopError(signal: AbortSignal | undefined, timeoutMs: number): AkashiError {
  if (signal?.aborted === true) return new AkashiError('cancelled', 'the query was cancelled')
  return new AkashiError('timeout', `the query took longer than ${timeoutMs} ms`, {
    hint: 'restrict it by created_at, or increase the timeout',
  })
}
