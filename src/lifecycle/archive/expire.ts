/**
 * Removes an expired partition from PostgreSQL: verifies the store again, compares the table with it, detaches the
 * partition, compares again where nobody can write to it, and drops it. On any mismatch the table is kept and an
 * error reported.
 */
import { AkashiError } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'
import { checkExport } from './check.ts'
import { type ArchiveContext, exportPartition } from './export.ts'
import { COPY_TIMEOUT_MS, DETACH_LOCK_MS, DETACH_PAUSE_MS, DETACH_WAIT_MS } from './limits.ts'
import { retryWhileLocked } from './lock-wait.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { type ExportRecord, isGone, readExports } from './records.ts'
import { countRows, fingerprintRows, keyAt, openSource, type Target } from './source.ts'

export interface ExpireOptions {
  readonly asOf: Date
  readonly csv: boolean
  /** Whether rows of the table may change; a difference then means that it is exported again. */
  readonly mutable: boolean
  /** Milliseconds to keep trying to detach; default DETACH_WAIT_MS. */
  readonly detachWaitMs?: number
}

/** Continues where an earlier run was stopped. Returns the number of removed rows. */
export async function expirePartition(
  context: ArchiveContext,
  target: Target,
  options: ExpireOptions,
): Promise<number> {
  let records = await readAll(context, target)
  let manifests = await readManifests(context, records)
  const detached = records.some(({ state }) => state === 'detached')
  if (!detached) {
    const same = await context.session.transaction(
      context.actor,
      (session) => matches(session, target, records, false),
      {
        isolation: 'repeatable read',
        readOnly: true,
        timeoutMs: COPY_TIMEOUT_MS,
      },
    )
    if (!same && options.mutable) {
      await exportPartition(context, target, { csv: options.csv, anew: true })
      records = await readAll(context, target)
      manifests = await readManifests(context, records)
    } else if (!same) throw changed(target)
  }
  for (const manifest of current(records, manifests)) await checkExport(context, manifest)
  await context.onStep?.('checked', target)
  if (!detached) {
    await detach(context, target, records, options)
    await context.onStep?.('detached', target)
  }
  await drop(context, target, records, options.asOf)
  await context.onStep?.('dropped', target)
  return current(records, records).reduce((sum, { rows }) => sum + (rows ?? 0), 0)
}

/** The exports whose rows are in the table; rows of earlier exports of the same period may have been dropped. */
async function readAll(context: ArchiveContext, target: Target): Promise<ExportRecord[]> {
  const records = await context.session.transaction(context.actor, (session) => readExports(session, target))
  return records.filter((each) => !isGone(each))
}

async function readManifests(context: ArchiveContext, records: readonly ExportRecord[]): Promise<Manifest[]> {
  const manifests: Manifest[] = []
  for (const { manifest: key, manifestSha256 } of records) {
    const stored = await readManifest(context.store, key, manifestSha256, context.signal)
    if (stored === undefined)
      throw new AkashiError('not_found', `the manifest ${key} is missing from the store`)
    manifests.push(stored.manifest)
  }
  return manifests
}

/** A complete export replaces all earlier ones. */
function current<T>(records: readonly ExportRecord[], items: readonly T[]): readonly T[] {
  return records.some(({ upto }) => upto !== null) ? items : items.slice(-1)
}

/** Whether the table contains exactly the rows of its exports. */
async function matches(
  session: Session,
  target: Target,
  records: readonly ExportRecord[],
  detached: boolean,
): Promise<boolean> {
  const source = await openSource(session, target, detached)
  const expected = current(records, records)
  const rows = expected.reduce((sum, each) => sum + (each.rows ?? 0), 0)
  if ((await countRows(session, source, { after: null, upto: null })) !== rows) return false
  for (const { after, upto, fingerprint } of expected) {
    if ((await fingerprintRows(session, source, { after, upto })) !== fingerprint) return false
  }
  return true
}

function changed(target: Target): AkashiError {
  return new AkashiError('integrity', `the rows of ${target.partition} differ from the exported ones`, {
    hint: 'the table is kept; run akashi verify to find what was changed, removed or added',
  })
}

async function detach(
  { session, actor, signal }: ArchiveContext,
  target: Target,
  records: readonly ExportRecord[],
  options: ExpireOptions,
): Promise<void> {
  const once = () =>
    session.transaction(actor, async (inner) => {
      await inner.query(`select set_config('lock_timeout', '${DETACH_LOCK_MS}ms', true)`)
      await inner.query('select akashi_lifecycle.fence_partition($1, $2, $3)', [
        target.schema,
        target.table,
        target.partition,
      ])
      await assertNoneLate(inner, target, records)
      await inner.query('select akashi_lifecycle.detach_partition($1, $2, $3, $4)', [
        target.schema,
        target.table,
        target.partition,
        options.asOf.toISOString(),
      ])
    })
  await retryWhileLocked(once, {
    partition: target.partition,
    waitMs: options.detachWaitMs ?? DETACH_WAIT_MS,
    pauseMs: DETACH_PAUSE_MS,
    signal,
  })
}

/** Refuses when rows arrived after the last export; the next run exports them. */
async function assertNoneLate(
  session: Session,
  target: Target,
  records: readonly ExportRecord[],
): Promise<void> {
  const source = await openSource(session, target, false)
  const after = records.at(-1)?.upto ?? null
  if (source.log === null || after === null) return
  if ((await keyAt(session, source, { after, upto: null }, 1)) !== undefined) {
    throw new AkashiError('conflict', `rows of ${target.partition} arrived after its last export`, {
      hint: 'the next run exports them first',
    })
  }
}

/** Compares the detached table under a lock against writers, and drops it under the same lock. */
async function drop(
  context: ArchiveContext,
  target: Target,
  records: readonly ExportRecord[],
  asOf: Date,
): Promise<void> {
  const { session, actor, signal } = context
  await session.transaction(
    actor,
    async (inner) => {
      await inner.query('select akashi_lifecycle.freeze_detached($1)', [target.partition])
      if (!(await matches(inner, target, records, true))) throw changed(target)
      await context.onStep?.('matched', target)
      await inner.query('select akashi_lifecycle.drop_detached($1, $2, $3, $4, $5, $6, $7)', [
        target.schema,
        target.table,
        target.partition,
        target.from,
        target.to,
        records.map(({ fingerprint }) => fingerprint),
        asOf.toISOString(),
      ])
    },
    { timeoutMs: COPY_TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) },
  )
}
