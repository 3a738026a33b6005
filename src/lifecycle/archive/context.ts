/** What the steps of the archive work with, opened once for a run. */
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readHeads } from '../../audit/index.ts'
import { AkashiError, makeScratchFolder } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import {
  type Actor,
  type Database,
  type DirectSession,
  releaseLock,
  type Session,
  tryLock,
} from '../../postgres/index.ts'
import { type Engine, openEngine } from './engine.ts'
import type { Manifest } from './manifest.ts'
import type { Target } from './source.ts'

/** Moments at which a run may be stopped and continued later, in their order. */
export type ArchiveStep =
  | 'planned'
  | 'copied'
  | 'stored'
  | 'compared'
  | 'published'
  | 'recorded'
  | 'checked'
  | 'detached'
  | 'matched'
  | 'reattached'
  | 'dropped'

/** What reads objects back needs. */
export interface StoreContext {
  readonly store: ObjectStore
  readonly engine: Engine
  /** Folder for temporary files, this run's own. */
  readonly folder: string
  readonly signal?: AbortSignal
}

/** The database that exports: keys of its objects begin with `name`, which no other database and no copy of it has. */
export interface Writer {
  readonly name: string
  readonly database: Manifest['database']
}

export interface ArchiveContext extends StoreContext {
  /** Connection that holds the lock of the partition. */
  readonly session: DirectSession
  /** Who asked for the run. */
  readonly actor: Actor
  readonly writer: Writer
  /** Rows of one object. */
  readonly partRows: number
  /** Milliseconds to go on trying to lock a table. */
  readonly lockWaitMs: number
  readonly onStep: (step: ArchiveStep, target: Target) => void | Promise<void>
}

/** Runs work with an engine and a folder of its own. */
export async function withStoreContext<T>(
  store: ObjectStore,
  signal: AbortSignal | undefined,
  work: (context: StoreContext) => Promise<T>,
): Promise<T> {
  const folder = await makeScratchFolder('archive')
  const engine = openEngine(join(folder, 'engine'))
  try {
    return await work({ store, engine, folder, ...(signal === undefined ? {} : { signal }) })
  } finally {
    engine.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs work with a session that no time-out of an idle connection ends while the store is slow. */
export async function withArchiveContext<T>(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  options: Pick<ArchiveContext, 'partRows' | 'lockWaitMs' | 'onStep'> & { readonly signal?: AbortSignal },
  work: (context: ArchiveContext) => Promise<T>,
): Promise<T> {
  const { signal, ...rest } = options
  return await withStoreContext(store, signal, (context) =>
    database.direct(
      async (session) => {
        await session.query(
          "select set_config('idle_session_timeout', '0', false), set_config('idle_in_transaction_session_timeout', '0', false)",
        )
        const writer = await session.transaction(actor, readWriter, { readOnly: true })
        return await work({ ...context, ...rest, session, actor, writer })
      },
      signal === undefined ? {} : { signal },
    ),
  )
}

const WRITER_DIGITS = 16

const writerSql = `
  select akashi_lifecycle.setting('ledger.origin') #>> '{}' as origin, own.system_identifier::text as "systemIdentifier",
         own.timeline, (select d.oid::text from pg_catalog.pg_database d where d.datname = current_database()) as database
  from akashi_audit.system_identity() own`

/** A restored copy of a cluster is on another timeline, and its logs continue under other origins. */
async function readWriter(session: Session): Promise<Writer> {
  const { rows } = await session.query<Manifest['database'] & { database: string }>(writerSql)
  const [found] = rows
  if (found === undefined) throw new Error('the database does not identify itself')
  const { origin, systemIdentifier, timeline, database } = found
  const heads = await readHeads(session)
  const later = heads.filter((head) => head.origin !== `${origin}/${head.log}`).map((head) => head.origin)
  const name = createHash('sha256')
    .update(JSON.stringify([origin, systemIdentifier, timeline, database, later]))
    .digest('hex')
    .slice(0, WRITER_DIGITS)
  return { name, database: { origin, systemIdentifier, timeline } }
}

/**
 * One run at a time works on a partition; undefined when another one does. The lock belongs to the connection, so a
 * killed run leaves none.
 */
export async function underLock<T>(
  { session }: ArchiveContext,
  target: Target,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const name = `akashi.archive/${target.schema}.${target.table}/${target.from}/${target.to}`
  const { key, taken, others } = await tryLock(session, name, 'worker')
  if (key === null) {
    if (taken || others === undefined) return undefined
    throw new AkashiError('conflict', `other logins hold the locks of the archive: ${others}`, {
      hint: 'end their sessions: they have no reason to hold these locks',
    })
  }
  try {
    return await work()
  } finally {
    await releaseLock(session, key)
  }
}
