/** `archive run`: exports closed partitions and drops expired ones, one after the other. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError, counted, makeScratchFolder } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database, DirectSession } from '../../postgres/index.ts'
import { type Engine, openEngine } from './engine.ts'
import { expirePartition } from './expire.ts'
import { type ArchiveContext, type ArchiveStep, exportPartition } from './export.ts'
import { SEAL_POLL_MS, SEAL_WAIT_MS } from './limits.ts'
import { type Candidate, isLeaving, readCandidates } from './plan.ts'
import { type ExportRecord, readExports, recordFailure } from './records.ts'
import { countRows, openSource, readLedger, type Target } from './source.ts'

export interface ArchiveOptions {
  /** Act as if it were this time; default now. */
  readonly asOf?: Date
  /** `schema.table`; without it, every table. */
  readonly table?: { readonly schema: string; readonly table: string }
  /** Only what the scheduled job at 02:00 (`export`) or at 03:00 (`expire`) does; default both. */
  readonly only?: 'export' | 'expire'
  /** Drop only partitions whose last export was verified at least this many milliseconds ago; default 0. */
  readonly settleMs?: number
  readonly signal?: AbortSignal
  readonly onStep?: (step: ArchiveStep, target: Target) => void | Promise<void>
  /** Called after each partition. */
  readonly onRow?: (row: ArchiveRow) => void
  readonly detachWaitMs?: number
  readonly sealWaitMs?: number
  readonly partRows?: number
}

/** What was done, or would be done, with one partition. */
export interface ArchiveRow {
  /** `schema.table` */
  readonly table: string
  readonly partition: string
  /** `export`, `drop`: planned; `held`: kept by a legal hold or a restore; `busy`: another run works on it. */
  readonly action: 'export' | 'drop' | 'exported' | 'dropped' | 'held' | 'busy' | 'failed'
  readonly rows: number
  readonly exported: boolean
  readonly dropped: boolean
  /** Key of the manifest in the store. */
  readonly object: string | null
  readonly message: string
}

/** What {@link runArchive} would do. Reads no rows. */
export async function planArchive(
  database: Database,
  actor: Actor,
  options: ArchiveOptions = {},
): Promise<ArchiveRow[]> {
  const asOf = options.asOf ?? new Date()
  const candidates = await candidatesOf(database, actor, options, asOf)
  return candidates.flatMap((candidate) => {
    const step = nextStep(candidate, options, asOf)
    if (step === null) return []
    const { rows, estimate, manifest } = candidate
    const name = `${candidate.schema}.${candidate.partition}`
    const count = rows ?? estimate
    return [
      describe(candidate, step, {
        rows: count,
        exported: candidate.state === 'verified' || candidate.state === 'detached',
        dropped: false,
        object: manifest,
        message:
          step === 'held'
            ? `Would keep: ${name} (${heldBecause(candidate)})`
            : `Would process: ${name} (${rows === null ? 'about ' : ''}${counted(count, 'row')})`,
      }),
    ]
  })
}

async function candidatesOf(
  database: Database,
  actor: Actor,
  options: ArchiveOptions,
  asOf: Date,
): Promise<Candidate[]> {
  const { table, signal } = options
  return await database.transaction(
    actor,
    (session) => readCandidates(session, { asOf, ...(table === undefined ? {} : { table }) }),
    { readOnly: true, ...(signal === undefined ? {} : { signal }) },
  )
}

/** What a run does with a candidate; null for nothing. Late rows are found only by reading. */
function nextStep(
  candidate: Candidate,
  { only, settleMs = 0 }: ArchiveOptions,
  asOf: Date,
): 'export' | 'drop' | 'held' | null {
  const { expired, state, verifiedAt } = candidate
  const verified = state === 'verified'
  if (expired && only !== 'export') {
    if (!isLeaving(candidate, asOf)) return verified ? 'held' : 'export'
    if (only === 'expire' && !verified && candidate.attached) return null
    if (settleMs > 0 && verifiedAt !== null && Date.parse(verifiedAt) > Date.now() - settleMs) return null
    return 'drop'
  }
  return only === 'expire' || !candidate.attached ? null : verified ? null : 'export'
}

function heldBecause({ held, keepUntil }: Candidate): string {
  return held ? 'legal hold' : `restored, kept until ${keepUntil}`
}

function describe(
  candidate: Target,
  action: ArchiveRow['action'],
  rest: Omit<ArchiveRow, 'table' | 'partition' | 'action'>,
): ArchiveRow {
  return { table: `${candidate.schema}.${candidate.table}`, partition: candidate.partition, action, ...rest }
}

/**
 * Exports every closed partition that is not exported yet, and drops every expired one after comparing it.
 * Idempotent; concurrent runs share the work. A failure is reported in the partition's row and does not stop the
 * others.
 *
 * @returns one row for each partition that was processed or should have been
 */
export async function runArchive(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  options: ArchiveOptions = {},
): Promise<ArchiveRow[]> {
  const asOf = options.asOf ?? new Date()
  const rows: ArchiveRow[] = []
  const folder = await makeScratchFolder('archive')
  let engine: Engine | undefined
  try {
    const opened = openEngine(join(folder, 'engine'))
    engine = opened
    const candidates = await candidatesOf(database, actor, options, asOf)
    await database.direct(
      async (session) => {
        for (const candidate of candidates) {
          options.signal?.throwIfAborted()
          const context: ArchiveContext = {
            session,
            actor,
            store,
            engine: opened,
            folder,
            ...(options.signal === undefined ? {} : { signal: options.signal }),
            ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
            ...(options.partRows === undefined ? {} : { partRows: options.partRows }),
          }
          const row = await underLock(session, candidate, () =>
            processPartition(context, candidate, options, asOf),
          )
          if (row === null) continue
          rows.push(row)
          options.onRow?.(row)
        }
      },
      { ...(options.signal === undefined ? {} : { signal: options.signal }) },
    )
  } finally {
    engine?.close()
    await rm(folder, { recursive: true, force: true })
  }
  return rows
}

/** Ensures that one run at a time works on a partition. The lock ends with the connection. */
async function underLock(
  session: DirectSession,
  candidate: Candidate,
  work: () => Promise<ArchiveRow | null>,
): Promise<ArchiveRow | null> {
  const name = `akashi.archive/${candidate.schema}.${candidate.table}/${candidate.from}/${candidate.to}`
  const { rows } = await session.query<{ locked: boolean }>(
    'select pg_try_advisory_lock(hashtextextended($1, 0)) as locked',
    [name],
  )
  if (rows[0]?.locked !== true) {
    return describe(candidate, 'busy', {
      rows: candidate.rows ?? candidate.estimate,
      exported: false,
      dropped: false,
      object: candidate.manifest,
      message: 'another run is working on it',
    })
  }
  try {
    return await work()
  } finally {
    await session.query('select pg_advisory_unlock(hashtextextended($1, 0))', [name])
  }
}

interface Progress {
  exported: boolean
  dropped: boolean
  rows: number
}

async function processPartition(
  context: ArchiveContext,
  planned: Candidate,
  options: ArchiveOptions,
  asOf: Date,
): Promise<ArchiveRow | null> {
  const progress: Progress = { exported: false, dropped: false, rows: 0 }
  try {
    // Another run may have processed it between the plan and the lock.
    const candidate = await refresh(context, planned, asOf)
    if (candidate === undefined) return null
    const step = nextStep(candidate, options, asOf)
    await advance(context, candidate, step, options, asOf, progress)
    if (!progress.exported && !progress.dropped && step !== 'held') return null
    return await outcome(context, candidate, progress, step === 'held' ? heldBecause(candidate) : null)
  } catch (error) {
    if (options.signal?.aborted === true || context.session.lost.aborted) throw error
    const message = error instanceof AkashiError ? error.message : 'the archive failed'
    if (!(error instanceof AkashiError)) throw error
    await context.session.transaction(context.actor, (session) => recordFailure(session, planned, message))
    return describe(planned, 'failed', {
      rows: planned.rows ?? planned.estimate,
      exported: progress.exported,
      dropped: progress.dropped,
      object: planned.manifest,
      message: `Error: ${message}`,
    })
  }
}

async function refresh(
  context: ArchiveContext,
  { schema, table, from, to }: Candidate,
  asOf: Date,
): Promise<Candidate | undefined> {
  const fresh = await context.session.transaction(
    context.actor,
    (session) => readCandidates(session, { asOf, table: { schema, table } }),
    { readOnly: true },
  )
  return fresh.find((each) => each.from === from && each.to === to)
}

async function advance(
  context: ArchiveContext,
  candidate: Candidate,
  step: 'export' | 'drop' | 'held' | null,
  options: ArchiveOptions,
  asOf: Date,
  progress: Progress,
): Promise<void> {
  if (candidate.attached && options.only !== 'expire') {
    await waitForSealer(context, candidate, options.sealWaitMs ?? SEAL_WAIT_MS)
    const done = await exportPartition(context, candidate, { csv: candidate.csv })
    progress.exported = done !== undefined
    progress.rows = done?.rows ?? 0
  }
  if (step !== 'drop') return
  // The export above included late rows; rows that arrive now are for the next run.
  progress.rows = await expirePartition(context, candidate, {
    asOf,
    csv: candidate.csv,
    mutable: candidate.mutable,
    ...(options.detachWaitMs === undefined ? {} : { detachWaitMs: options.detachWaitMs }),
  })
  progress.exported = true
  progress.dropped = true
}

/** Waits until rows that were just committed are sealed, normally within a second. */
async function waitForSealer(context: ArchiveContext, target: Target, waitMs: number): Promise<void> {
  const deadline = performance.now() + waitMs
  for (;;) {
    const waiting = await context.session.transaction(context.actor, async (session) => {
      const source = await openSource(session, target, false)
      const ledger = await readLedger(session, source.log)
      return ledger === null ? 0 : await countRows(session, source, { after: ledger.frontier, upto: null })
    })
    if (waiting === 0 || performance.now() > deadline) return
    await sleep(SEAL_POLL_MS, undefined, context.signal === undefined ? {} : { signal: context.signal })
  }
}

async function outcome(
  context: ArchiveContext,
  candidate: Candidate,
  progress: Progress,
  held: string | null,
): Promise<ArchiveRow> {
  const records = await context.session.transaction(context.actor, (session) =>
    readExports(session, candidate),
  )
  const rows = held === null ? progress.rows : records.reduce((sum, { rows: count }) => sum + (count ?? 0), 0)
  const last: ExportRecord | undefined = records.at(-1)
  const message = progress.dropped
    ? `Exported and dropped (${counted(rows, 'row')})`
    : held === null
      ? `Exported (${counted(rows, 'row')})`
      : `Kept: ${held} (${counted(rows, 'row')})`
  return describe(candidate, progress.dropped ? 'dropped' : held === null ? 'exported' : 'held', {
    rows,
    exported: progress.exported || held !== null,
    dropped: progress.dropped,
    object: last?.manifest ?? null,
    message,
  })
}
