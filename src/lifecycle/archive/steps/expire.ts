/**
 * Takes an expired partition out of PostgreSQL: the table is compared with its exports and the store checked, then
 * the partition is detached, compared again where nobody can write to it, and dropped. When the rows differ then, it
 * is attached again: rows that may change are exported again, and others stay with the reason.
 */
import { AkashiError } from '../../../foundation/index.ts'
import { checkExport } from '../check.ts'
import type { ArchiveContext } from '../context.ts'
import { COPY_TIMEOUT_MS, DETACH_LOCK_MS, MAX_EXPORTS_A_RUN } from '../limits.ts'
import { type Manifest, readManifest } from '../manifest.ts'
import type { PlannedPartition } from '../plan.ts'
import { type ExportRecord, isGone, readExports } from '../records.ts'
import { retryWhileLocked } from '../retry-while-locked.ts'
import { hasRow, openSource, reopenSource, type Target } from '../source.ts'
import { isDifference, isEqual, prepareComparison } from './compare.ts'
import { exportPartition } from './export.ts'

interface StoredExport {
  readonly record: ExportRecord
  readonly manifest: Manifest
}

/** Continues wherever an earlier run was stopped. @returns how many rows left */
export async function expirePartition(
  context: ArchiveContext,
  planned: PlannedPartition,
  asOf: Date,
): Promise<number> {
  let attached = planned.attached
  for (let exported = 0; ; exported += 1) {
    try {
      const stored = await readStored(context, planned)
      if (attached) await compareAttached(context, planned, stored)
      for (const { manifest } of stored) await checkExport(context, manifest)
      await context.onStep('checked', planned)
      if (attached) await detach(context, planned, stored, asOf)
      attached = false
      await drop(context, planned, stored, asOf)
      return stored.reduce((sum, { record }) => sum + (record.rows ?? 0), 0)
    } catch (error) {
      if (context.signal?.aborted === true || context.session.lost.aborted) throw error
      if (!attached) await reattachPartition(context, planned)
      attached = true
      if (!isDifference(error) || exported === MAX_EXPORTS_A_RUN) throw differs(planned, error)
      await exportAnew(context, planned, error)
    }
  }
}

/** The exports whose rows are in the table: others of the same period may be gone from it. */
async function readStored(context: ArchiveContext, target: Target): Promise<StoredExport[]> {
  const records = await context.session.transaction(context.actor, (session) => readExports(session, target))
  const stored: StoredExport[] = []
  for (const record of records) {
    if (isGone(record) || record.state === 'superseded') continue
    const found = await readManifest(context.store, record.manifest, record.manifestSha256, context.signal)
    if (found === undefined)
      throw new AkashiError('not_found', `the manifest ${record.manifest} is missing from the store`)
    stored.push({ record, manifest: found.manifest })
  }
  return stored
}

async function compareAttached(
  context: ArchiveContext,
  planned: PlannedPartition,
  stored: readonly StoredExport[],
): Promise<void> {
  await context.session.transaction(
    context.actor,
    async (session) => {
      const source = await openSource(session, planned)
      const manifests = stored.map(({ manifest }) => manifest)
      const comparison = await prepareComparison(context, session, source, manifests)
      if (!(await isEqual(session, comparison))) throw different(planned, comparison.altered)
    },
    { isolation: 'repeatable read', readOnly: true, timeoutMs: COPY_TIMEOUT_MS },
  )
}

function different({ partition }: Target, altered: boolean): AkashiError {
  return new AkashiError('integrity', `the rows of ${partition} differ from the exported ones`, {
    hint: 'the table is kept; run akashi verify to find what was changed, removed or added',
    detail: { differs: true, altered },
  })
}

function differs(target: Target, error: unknown): unknown {
  if (!isDifference(error) || (error instanceof AkashiError && error.detail['differs'] === true)) return error
  return different(target, true)
}

/** Exports the current rows. Append-only rows are exported again only if their table was altered. */
async function exportAnew(context: ArchiveContext, planned: PlannedPartition, error: unknown): Promise<void> {
  const altered = error instanceof AkashiError && error.detail['altered'] !== false
  const log = await context.session.transaction(context.actor, async (session) => {
    const source = await openSource(session, planned)
    return source.log
  })
  if (log !== null || (!planned.mutable && !altered)) throw differs(planned, error)
  await exportPartition(context, planned, { csv: planned.csv, anew: true })
}

async function detach(
  context: ArchiveContext,
  planned: PlannedPartition,
  stored: readonly StoredExport[],
  asOf: Date,
): Promise<void> {
  const { session, actor, signal, lockWaitMs } = context
  const { schema, table, partition } = planned
  const once = () =>
    session.transaction(actor, async (inner) => {
      await inner.query(`select set_config('lock_timeout', '${DETACH_LOCK_MS}ms', true)`)
      await inner.query('select akashi_lifecycle.fence_partition($1, $2, $3)', [schema, table, partition])
      await assertNoneLate(inner, planned, stored)
      await inner.query('select akashi_lifecycle.detach_partition($1, $2, $3, $4)', [
        schema,
        table,
        partition,
        asOf.toISOString(),
      ])
    })
  await retryWhileLocked(once, { partition, waitMs: lockWaitMs, signal })
  await context.onStep('detached', planned)
}

/** A row that came since the last export stays where the sealer and the next export find it. */
async function assertNoneLate(
  session: Parameters<typeof openSource>[0],
  target: Target,
  stored: readonly StoredExport[],
): Promise<void> {
  const source = await openSource(session, target)
  const after = stored.at(-1)?.record.upto ?? null
  if (source.log === null || after === null) return
  if (await hasRow(session, source, { after, upto: null })) {
    throw new AkashiError('conflict', `rows of ${target.partition} arrived after its last export`, {
      hint: 'the next run exports them first',
    })
  }
}

/** Compares the detached table under a lock against writers, and drops it under the same. */
async function drop(
  context: ArchiveContext,
  planned: PlannedPartition,
  stored: readonly StoredExport[],
  asOf: Date,
): Promise<void> {
  const { session, actor, signal } = context
  const manifests = stored.map(({ manifest }) => manifest)
  const comparison = await session.transaction(actor, async (inner) =>
    prepareComparison(context, inner, await openSource(inner, planned, true), manifests),
  )
  await session.transaction(
    actor,
    async (inner) => {
      await inner.query('select akashi_lifecycle.freeze_detached($1)', [planned.partition])
      await reopenSource(inner, comparison.source)
      if (!(await isEqual(inner, comparison))) throw different(planned, comparison.altered)
      await context.onStep('matched', planned)
      await inner.query('select akashi_lifecycle.drop_detached($1, $2, $3, $4, $5, $6, $7)', [
        planned.schema,
        planned.table,
        planned.partition,
        planned.from,
        planned.to,
        stored.map(({ record }) => record.fingerprint),
        asOf.toISOString(),
      ])
    },
    { timeoutMs: COPY_TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) },
  )
  await context.onStep('dropped', planned)
}

/** Puts a detached partition back where its table shows it. */
export async function reattachPartition(context: ArchiveContext, target: Target): Promise<void> {
  const { session, actor, signal, lockWaitMs } = context
  await retryWhileLocked(
    () =>
      session.transaction(actor, (inner) =>
        inner.query('select akashi_lifecycle.reattach_partition($1, $2, $3, $4, $5)', [
          target.schema,
          target.table,
          target.partition,
          target.from,
          target.to,
        ]),
      ),
    { partition: target.partition, waitMs: lockWaitMs, signal },
  )
  await context.onStep('reattached', target)
}
