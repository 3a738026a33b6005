/**
 * Takes an expired partition out of PostgreSQL: the store is verified again, the table compared with it, the
 * partition detached, compared once more where nobody can write to it, and dropped. Whatever does not match
 * keeps the table where it is, and says why.
 */
import { AkashiError } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'
import { checkExport } from './check.ts'
import { exportPartition, type Workshop } from './export.ts'
import { COPY_TIMEOUT_MS, DETACH_LOCK_MS, DETACH_PAUSE_MS, DETACH_WAIT_MS } from './limits.ts'
import { patiently } from './lock-wait.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { type ExportRecord, isGone, readExports } from './records.ts'
import { countRows, fingerprintRows, keyAt, openSource, type Target } from './source.ts'

export interface ExpireOptions {
  readonly asOf: Date
  readonly csv: boolean
  /** Rows of the table may be changed by those who may, so a difference means that it is exported anew. */
  readonly mutable: boolean
  /** Milliseconds to go on trying to detach; default DETACH_WAIT_MS. */
  readonly detachWaitMs?: number
}

/** Goes on from wherever an earlier run was stopped; answers how many rows left. */
export async function expirePartition(
  shop: Workshop,
  target: Target,
  options: ExpireOptions,
): Promise<number> {
  let records = await readAll(shop, target)
  let manifests = await readManifests(shop, records)
  const detached = records.some(({ state }) => state === 'detached')
  if (!detached) {
    const same = await shop.session.transaction(
      shop.actor,
      (session) => matches(session, target, records, false),
      {
        isolation: 'repeatable read',
        readOnly: true,
        timeoutMs: COPY_TIMEOUT_MS,
      },
    )
    if (!same && options.mutable) {
      await exportPartition(shop, target, { csv: options.csv, anew: true })
      records = await readAll(shop, target)
      manifests = await readManifests(shop, records)
    } else if (!same) throw changed(target)
  }
  for (const manifest of current(records, manifests)) await checkExport(shop, manifest)
  await shop.onStep?.('checked', target)
  if (!detached) {
    await detach(shop, target, records, options)
    await shop.onStep?.('detached', target)
  }
  await drop(shop, target, records, options.asOf)
  await shop.onStep?.('dropped', target)
  return current(records, records).reduce((sum, { rows }) => sum + (rows ?? 0), 0)
}

/** The exports whose rows are in the table: earlier ones of the same period may be gone from it. */
async function readAll(shop: Workshop, target: Target): Promise<ExportRecord[]> {
  const records = await shop.session.transaction(shop.actor, (session) => readExports(session, target))
  return records.filter((each) => !isGone(each))
}

async function readManifests(shop: Workshop, records: readonly ExportRecord[]): Promise<Manifest[]> {
  const manifests: Manifest[] = []
  for (const { manifest: key, manifestSha256 } of records) {
    const stored = await readManifest(shop.store, key, manifestSha256, shop.signal)
    if (stored === undefined) throw new AkashiError('not_found', `the manifest ${key} is gone from the store`)
    manifests.push(stored.manifest)
  }
  return manifests
}

/** What was exported anew stands for everything before it. */
function current<T>(records: readonly ExportRecord[], items: readonly T[]): readonly T[] {
  return records.some(({ upto }) => upto !== null) ? items : items.slice(-1)
}

/** Whether the table holds the rows of its exports, all of them and no others. */
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
  return new AkashiError('integrity', `the rows of ${target.partition} are not those that were exported`, {
    hint: 'the table is kept; akashi verify names what was changed, removed or added',
  })
}

async function detach(
  { session, actor, signal }: Workshop,
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
  await patiently(once, {
    partition: target.partition,
    waitMs: options.detachWaitMs ?? DETACH_WAIT_MS,
    pauseMs: DETACH_PAUSE_MS,
    signal,
  })
}

/** A row that came since the last export stays where the sealer and the next export find it. */
async function assertNoneLate(
  session: Session,
  target: Target,
  records: readonly ExportRecord[],
): Promise<void> {
  const source = await openSource(session, target, false)
  const after = records.at(-1)?.upto ?? null
  if (source.log === null || after === null) return
  if ((await keyAt(session, source, { after, upto: null }, 1)) !== undefined) {
    throw new AkashiError('conflict', `rows of ${target.partition} came after its last export`, {
      hint: 'the next run exports them first',
    })
  }
}

/** Compares the detached table under a lock against writers, and drops it under the same. */
async function drop(
  shop: Workshop,
  target: Target,
  records: readonly ExportRecord[],
  asOf: Date,
): Promise<void> {
  const { session, actor, signal } = shop
  await session.transaction(
    actor,
    async (inner) => {
      await inner.query('select akashi_lifecycle.freeze_detached($1)', [target.partition])
      if (!(await matches(inner, target, records, true))) throw changed(target)
      await shop.onStep?.('matched', target)
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
