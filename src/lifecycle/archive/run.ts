/** Runs of the archive: one partition after the other, each under its lock; one's failure stops no other. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError, counted, traced } from '../../foundation/index.ts'
import type { Keyring } from '../../keys/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { applyShortenings } from '../shortenings.ts'
import { type ArchiveContext, type ArchiveStep, underLock, withArchiveContext } from './context.ts'
import { makeCopies, retireCopies } from './copies-run.ts'
import { DETACH_WAIT_MS, PART_ROWS, SEAL_POLL_MS, SEAL_WAIT_MS } from './limits.ts'
import {
  type ArchiveRow,
  type PlannedPartition,
  type PlannedRetirement,
  type PlanOptions,
  readPartitions,
  readRetirements,
  rowOf,
} from './plan.ts'
import { readExports, recordFailure } from './records.ts'
import { countRows, openSource, readLedger, type Target } from './source.ts'
import { expirePartition, reattachPartition } from './steps/expire.ts'
import { exportPartition } from './steps/export.ts'
import { type RetireStep, retirePeriod } from './steps/retire.ts'

export interface ArchiveOptions extends PlanOptions {
  readonly only?: 'export' | 'expire'
  /**
   * Exports partitions that are still in PostgreSQL again, regardless of earlier exports; requires a table.
   */
  readonly again?: boolean
  readonly onStep?: (step: ArchiveStep, target: Target) => void | Promise<void>
  /** Called after each partition. */
  readonly onRow?: (row: ArchiveRow) => void
  readonly detachWaitMs?: number
  readonly sealWaitMs?: number
  readonly partRows?: number
}

/**
 * Exports every partition that is closed and not yet exported, and drops every expired one after comparing it.
 * Doing it again does nothing; several runs at once share the work.
 *
 * @returns one row for each partition that was processed or should have been
 */
export async function runArchive(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  options: ArchiveOptions = {},
): Promise<ArchiveRow[]> {
  if (options.again === true && options.table === undefined) {
    throw new AkashiError('invalid_input', '--again exports the partitions of a single table', {
      hint: 'give it with --table',
    })
  }
  const rows: ArchiveRow[] = []
  await withArchiveContext(database, actor, store, contextOptions(options), async (context) => {
    const asOf = options.asOf ?? (await readNow(context))
    const read = (table: ArchiveOptions['table']) =>
      context.session.transaction(
        actor,
        (session) => readPartitions(session, { ...options, asOf, ...(table === undefined ? {} : { table }) }),
        { readOnly: true },
      )
    for (const planned of await read(options.table)) {
      options.signal?.throwIfAborted()
      const work = async () => {
        // Another run may have been here between the plan and the lock.
        const fresh = (await read(planned)).find(
          ({ from, to, attached }) =>
            from === planned.from && to === planned.to && attached === planned.attached,
        )
        return fresh === undefined ? null : await processPartition(context, fresh, options, asOf)
      }
      const row = await underLock(context, planned, () => reportFailure(context, planned, work))
      const reported = row === undefined ? rowOf(planned, 'busy', 'another run works on it') : row
      if (reported === null) continue
      rows.push(reported)
      options.onRow?.(reported)
    }
    if (options.only === 'expire') return
    for await (const reported of makeCopies(context, { ...options, asOf })) {
      rows.push(reported)
      options.onRow?.(reported)
    }
  })
  return rows
}

/** By the database: with the clock of a machine that is years ahead, partitions that take rows now would leave. */
async function readNow({ session, actor }: ArchiveContext): Promise<Date> {
  const { rows } = await session.transaction(
    actor,
    (inner) => inner.query<{ now: string }>('select now() as now'),
    { readOnly: true },
  )
  return new Date(rows[0]?.now ?? Number.NaN)
}

function contextOptions({ partRows, detachWaitMs, onStep, signal }: ArchiveOptions) {
  return {
    partRows: partRows ?? PART_ROWS,
    lockWaitMs: detachWaitMs ?? DETACH_WAIT_MS,
    onStep: onStep ?? (() => undefined),
    ...(signal === undefined ? {} : { signal }),
  }
}

async function reportFailure(
  context: ArchiveContext,
  planned: PlannedPartition,
  work: () => Promise<ArchiveRow | null>,
): Promise<ArchiveRow | null> {
  try {
    return await work()
  } catch (error) {
    const ended = context.signal?.aborted === true || context.session.lost.aborted
    if (ended || !(error instanceof AkashiError)) throw error
    await context.session
      .transaction(context.actor, (session) => recordFailure(session, planned, error.message))
      // Without a connection the run ends here, with the error of this partition.
      .catch(() => Promise.reject(error))
    return rowOf(planned, 'failed', `Error: ${error.message}`)
  }
}

async function processPartition(
  context: ArchiveContext,
  planned: PlannedPartition,
  options: ArchiveOptions,
  asOf: Date,
): Promise<ArchiveRow | null> {
  const { step, heldBy } = planned
  let exported: number | undefined
  if (planned.attached && options.only !== 'expire') {
    await waitForSealer(context, planned, options.sealWaitMs ?? SEAL_WAIT_MS)
    exported = await traced('archive export', attributesOf(planned), () =>
      exportPartition(context, planned, { csv: planned.csv, anew: options.again === true }),
    )
  }
  if (step === 'reattach') {
    await reattachPartition(context, planned)
    return rowOf(planned, 'reattached', `Attached again: ${heldBy}`, { exported: true })
  }
  if (step === 'drop') {
    // The export before may have taken rows that came late; what came since is for the next run.
    const rows = await traced('archive drop', attributesOf(planned), () =>
      expirePartition(context, planned, asOf),
    )
    return await outcome(context, planned, 'dropped', `Exported and dropped (${counted(rows, 'row')})`, rows)
  }
  if (step === 'held')
    return await outcome(context, planned, 'held', `Kept: ${heldBy} (${counted(planned.rows, 'row')})`)
  if (exported === undefined) return null
  return await outcome(context, planned, 'exported', `Exported (${counted(exported, 'row')})`, exported)
}

function attributesOf({ partition }: PlannedPartition | PlannedRetirement) {
  return { 'akashi.partition': partition }
}

async function outcome(
  { session, actor }: ArchiveContext,
  planned: PlannedPartition,
  action: 'exported' | 'dropped' | 'held',
  message: string,
  rows = planned.rows,
): Promise<ArchiveRow> {
  const records = await session.transaction(actor, (inner) => readExports(inner, planned))
  const object = records.at(-1)?.manifest ?? null
  return rowOf(planned, action, message, { rows, exported: true, dropped: action === 'dropped', object })
}

/** Rows that were committed a moment ago are sealed within a second; a run waits for them. */
async function waitForSealer(context: ArchiveContext, target: Target, waitMs: number): Promise<void> {
  const { session, actor, signal } = context
  const deadline = performance.now() + waitMs
  for (;;) {
    const waiting = await session.transaction(actor, async (inner) => {
      const source = await openSource(inner, target)
      const ledger = await readLedger(inner, source.log)
      return ledger === null ? 0 : await countRows(inner, source, { after: ledger.frontier, upto: null })
    })
    if (waiting === 0 || performance.now() > deadline) return
    await sleep(SEAL_POLL_MS, undefined, signal === undefined ? {} : { signal })
  }
}

export interface RetireOptions extends Omit<PlanOptions, 'asOf' | 'only' | 'settleMs'> {
  readonly onStep?: (step: RetireStep) => void | Promise<void>
}

/** Deletes everything whose total retention is over now, each after a signed retention record. */
export async function retireExpired(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  keyring: Keyring,
  options: RetireOptions = {},
): Promise<ArchiveRow[]> {
  const { signal } = options
  const read = { readOnly: true, ...(signal === undefined ? {} : { signal }) }
  await applyShortenings(database, actor)
  const rows: ArchiveRow[] = []
  for (const planned of await database.transaction(
    actor,
    (session) => readRetirements(session, options),
    read,
  )) {
    signal?.throwIfAborted()
    const row = await retire(planned)
    if (row !== null) rows.push(row)
  }
  for await (const row of retireCopies(database, actor, store, options)) rows.push(row)
  return rows

  async function retire(planned: PlannedRetirement): Promise<ArchiveRow | null> {
    if (planned.step === 'held') return rowOf(planned, 'held', `Kept: ${planned.heldBy}`)
    try {
      const removed = await traced('archive retire', attributesOf(planned), () =>
        retirePeriod({ database, actor, store, keyring, ...options }, planned),
      )
      if (removed === null) return null
      return rowOf(planned, 'retired', `Deleted (${counted(removed, 'row')})`, { rows: removed })
    } catch (error) {
      if (!(error instanceof AkashiError) || signal?.aborted === true) throw error
      return rowOf(planned, 'failed', `Error: ${error.message}`)
    }
  }
}
