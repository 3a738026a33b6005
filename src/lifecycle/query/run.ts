/** SQL over everything that is kept: closed partitions from Parquet, open ones from PostgreSQL, one name each. */

import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { DEFAULT_QUERY_ROWS } from '@akashi/contract'
import { AkashiError, makeScratchFolder } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { answer, type Job } from './answer.ts'
import { type Cache, cacheFolder, openCache } from './cache.ts'
import type { Manifests } from './cold.ts'
import { openEngines } from './engine.ts'
import { DEFAULT_TIMEOUT_MS, ENGINE_MEMORY, ENGINE_THREADS, MAX_ANSWER_BYTES } from './limits.ts'
import type { Limits } from './protocol.ts'
import { checkRequest, type QueryAnswer, type QueryRequest } from './request.ts'

export interface Queries {
  /**
   * Runs one SELECT; every table that it names is recorded as read by the actor, before it is.
   *
   * `invalid_input` for what is no query, `forbidden` for what is more than a SELECT, `too_large` and `timeout`
   * for its limits, `conflict` with `detail.frozen` where objects have to be thawed first.
   */
  run(actor: Actor, request: QueryRequest): Promise<QueryAnswer>
  /** Asks for frozen objects, as an error's `detail.frozen` names them, to become readable; answers those that are not yet. */
  thaw(objects: readonly string[]): Promise<readonly string[]>
  /** Ends the engines; what runs is refused. */
  close(): void
}

export interface QueriesOptions {
  /** Of a role that may read all of every table, such as `security_admin`. */
  readonly database: Database
  readonly store: ObjectStore
  /** Where fetched objects are kept; default a folder of this account among the temporary files. */
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
          bytes: request.sink === undefined ? MAX_ANSWER_BYTES : Number.MAX_SAFE_INTEGER,
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
        return await answer(job, actor, request)
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

/** What a store has whose objects freeze. */
interface Thawing {
  thaw(key: string): Promise<'readable' | 'thawing'>
}

function canThaw(store: ObjectStore): store is ObjectStore & Thawing {
  return 'thaw' in store && typeof store.thaw === 'function'
}

function stopError(signal: AbortSignal | undefined, timeoutMs: number): AkashiError {
  if (signal?.aborted === true) return new AkashiError('cancelled', 'the query was cancelled')
  return new AkashiError('timeout', `the query took longer than ${timeoutMs} ms`, {
    hint: 'narrow it by created_at, or allow it more time',
  })
}
