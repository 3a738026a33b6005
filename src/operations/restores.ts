/** Restores of one table that are requested, carried out by this process, and followed from anywhere. */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ResponseOf } from '@akashi/contract'
import { z } from 'zod'
import type { TableRestored } from '../backup/index.ts'
import { AkashiError, decodeCursor, encodeCursor, exactTime } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'

/** Restores that one process carries out at the same time: each recovers a separate server. */
const MAX_AT_ONCE = 2
/** Milliseconds between two progress reports, which also find out whether the restore was cancelled. */
const SIGN_MS = 2_000

type RestoreRun = ResponseOf<'GET /v1/restores/{id}'>

export interface RestoreRequest {
  /** `schema.table` */
  readonly table: string
  readonly target: string
  readonly into: string | undefined
  readonly diff: boolean
  readonly reason: string | undefined
}

export interface RestoreRuns {
  /** Begins it and returns its id. @throws AkashiError rate_limited */
  begin(
    actor: Actor,
    request: RestoreRequest,
    work: (signal: AbortSignal, onPhase: (phase: string) => void) => Promise<TableRestored>,
  ): Promise<string>
  /** Cancels what runs here, and waits for it. */
  close(): Promise<void>
}

/** @param database of the role security_admin */
export function openRestoreRuns(database: Database): RestoreRuns {
  const process_ = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`
  const closing = new AbortController()
  const running = new Set<Promise<void>>()

  const carryOut = async (
    actor: Actor,
    id: string,
    work: (signal: AbortSignal, onPhase: (phase: string) => void) => Promise<TableRestored>,
  ) => {
    const cancel = new AbortController()
    const ended = new AbortController()
    const signal = AbortSignal.any([cancel.signal, closing.signal])
    let phase = 'prepare'
    const watch = async () => {
      while (!ended.signal.aborted) {
        if (await sign(database, actor, id, phase).catch(() => false)) cancel.abort()
        await sleep(SIGN_MS, undefined, { signal: ended.signal }).catch(() => undefined)
      }
    }
    const watching = watch()
    try {
      const result = await work(signal, (next) => {
        phase = next
      })
      await finish(database, actor, id, 'done', null, result)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (closing.signal.aborted) await finish(database, actor, id, 'failed', 'the server stopped', null)
      else if (cancel.signal.aborted) await finish(database, actor, id, 'cancelled', null, null)
      else await finish(database, actor, id, 'failed', message, null)
    } finally {
      ended.abort()
      await watching
    }
  }

  return {
    begin: async (actor, { table, target, into, diff, reason }, work) => {
      if (closing.signal.aborted || running.size >= MAX_AT_ONCE) {
        throw new AkashiError('rate_limited', 'other restores are running', {
          hint: 'see GET /v1/restores, and send the request again when one has ended',
        })
      }
      const begun = Promise.withResolvers<void>()
      running.add(begun.promise)
      try {
        const { rows } = await database.transaction(actor, (session) =>
          session.query<{ id: string }>(
            'select akashi_lifecycle.begin_restore($1, $2, $3, $4, $5, $6) as id',
            [table, target, into ?? null, diff, reason ?? null, process_],
          ),
        )
        const id = rows[0]?.id ?? ''
        carryOut(actor, id, work)
          // The row stays running, and is closed as that of a process that died.
          .catch(() => undefined)
          .finally(() => {
            running.delete(begun.promise)
            begun.resolve()
          })
        return id
      } catch (error) {
        running.delete(begun.promise)
        begun.resolve()
        throw error
      }
    },
    close: async () => {
      closing.abort()
      await Promise.all(running)
    },
  }
}

async function sign(database: Database, actor: Actor, id: string, phase: string): Promise<boolean> {
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ cancelled: boolean | null }>(
      'select akashi_lifecycle.continue_restore($1, $2) as cancelled',
      [id, phase],
    ),
  )
  return rows[0]?.cancelled === true
}

async function finish(
  database: Database,
  actor: Actor,
  id: string,
  state: 'done' | 'failed' | 'cancelled',
  message: string | null,
  result: TableRestored | null,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_lifecycle.finish_restore($1, $2, $3, $4)', [
      id,
      state,
      message,
      result === null ? null : JSON.stringify(result),
    ]),
  )
}

const columns = `
  id, table_name as "table", target, into_table as "into", diff, apply_reason is not null as applies, apply_reason as reason,
  requested_by as "requestedBy", started_at as "startedAt", finished_at as "finishedAt", state,
  cancelled_by is not null as "cancelRequested", phase, message`

const place = z.tuple([exactTime, z.guid()])

/** Newest first. @param database of the role security_admin */
export async function listRestores(
  database: Database,
  actor: Actor,
  { cursor, limit }: { readonly cursor?: string | undefined; readonly limit: number },
): Promise<{ readonly rows: readonly RestoreRun[]; readonly next: string | null }> {
  const [at, id] = cursor === undefined ? [null, null] : decodeCursor(cursor, place)
  const { rows } = await database.transaction(actor, async (session) => {
    await session.query('select akashi_lifecycle.close_dead_restores()')
    return await session.query<RestoreRun & { place: string }>(
      `select ${columns}, null as result, to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as place
       from akashi_lifecycle.restores
       where $1::timestamptz is null or (started_at, id) < ($1::timestamptz, $2::uuid)
       order by started_at desc, id desc limit $3`,
      [at, id, limit + 1],
    )
  })
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    rows: shown,
    next: rows.length > limit && last !== undefined ? encodeCursor([last.place, last.id]) : null,
  }
}

/** @throws AkashiError not_found */
export async function readRestore(database: Database, actor: Actor, id: string): Promise<RestoreRun> {
  const { rows } = await database.transaction(actor, async (session) => {
    await session.query('select akashi_lifecycle.close_dead_restores()')
    return await session.query<RestoreRun>(
      `select ${columns}, result from akashi_lifecycle.restores where id = $1`,
      [id],
    )
  })
  const [row] = rows
  if (row === undefined) throw new AkashiError('not_found', `no restore ${id}`)
  return row
}

/** The process that carries it out stops within seconds. @throws AkashiError not_found when it does not run */
export async function cancelRestore(database: Database, actor: Actor, id: string): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_lifecycle.cancel_restore($1)', [id]),
  )
}

export interface RestorePoint {
  readonly name: string
  readonly lsn: string
  readonly createdAt: string
  readonly createdBy: string
}

/** Restore points listed at most. */
const POINTS_LISTED = 1_000

/** Newest first. */
export async function listRestorePoints(database: Database, actor: Actor): Promise<RestorePoint[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<RestorePoint>(
        `select name, lsn::text, created_at as "createdAt", created_by as "createdBy"
         from akashi_lifecycle.restore_points order by created_at desc, id desc limit $1`,
        [POINTS_LISTED],
      ),
    { readOnly: true },
  )
  return rows
}

/** Keeps that a restore point was created, so that people find its name. */
export async function recordRestorePoint(
  database: Database,
  actor: Actor,
  point: { readonly name: string; readonly lsn: string },
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('insert into akashi_lifecycle.restore_points (name, lsn) values ($1, $2)', [
      point.name,
      point.lsn,
    ]),
  )
}
