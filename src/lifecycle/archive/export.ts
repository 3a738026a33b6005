/**
 * Exports one partition: COPY in ledger order with the fingerprint in the same pass, conversion to Parquet, upload,
 * reading back, comparing, and only then the manifest. While one part is converted, the next one is copied. A
 * killed run leaves objects that no manifest lists; the next run removes them.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  countEntries,
  type EntryCount,
  type EntryRange,
  entriesCopySql,
  positionAfter,
} from '../../audit/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectHead, ObjectStore } from '../../object-store/index.ts'
import type { Actor, DirectSession, Session } from '../../postgres/index.ts'
import { checkExport } from './check.ts'
import type { ArchivedColumn } from './columns.ts'
import type { Engine } from './engine.ts'
import { equalFiles } from './equal-files.ts'
import { COPY_TIMEOUT_MS, PART_ROWS } from './limits.ts'
import { type Manifest, type ManifestPart, publishManifest, readManifest } from './manifest.ts'
import { describeParquet, fetchObject, hashFile, renderCsv, writeHashed, writeParquet } from './parts.ts'
import { csvKey, manifestKey, partitionFolder, partKey, partPrefix } from './path.ts'
import { literal } from './quote.ts'
import { type ExportRecord, insertExport, isGone, readExports, recordVerified } from './records.ts'
import {
  boundaries,
  copySql,
  keyAt,
  type LedgerState,
  openSource,
  readLedger,
  type Source,
  type Target,
  type Window,
} from './source.ts'

/** Steps after which a run may be stopped and continued later, in order. */
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
  | 'dropped'

export interface ArchiveContext {
  /** The connection that holds the lock of the partition. */
  readonly session: DirectSession
  /** Who requested the run. */
  readonly actor: Actor
  readonly store: ObjectStore
  readonly engine: Engine
  /** Temporary folder of this run. */
  readonly folder: string
  readonly signal?: AbortSignal
  readonly onStep?: (step: ArchiveStep, target: Target) => void | Promise<void>
  /** Rows of one object; default PART_ROWS. */
  readonly partRows?: number
}

/**
 * Exports the rows of a partition that are not exported yet.
 *
 * @param options.csv also stores a CSV copy of each part
 * @param options.anew exports every row again, for a table whose rows may change
 * @returns the verified export; undefined when every row is exported already
 */
export async function exportPartition(
  context: ArchiveContext,
  target: Target,
  options: { readonly csv: boolean; readonly anew?: boolean },
): Promise<ExportRecord | undefined> {
  const { session, actor, store } = context
  const earlier = await session.transaction(actor, (inner) => readExports(inner, target))
  const unfinished = earlier.find(({ state }) => state === 'exporting')
  const done = earlier.filter(({ state }) => state !== 'exporting')
  if (unfinished !== undefined) {
    const published = await readManifest(store, unfinished.manifest)
    if (published !== undefined) {
      // Published but not recorded: the run was killed in between.
      await checkExport(context, published.manifest)
      await record(context, target, unfinished.id, published.manifest, published.sha256)
      return await exported(session, actor, target, unfinished.generation)
    }
  }
  const window = options.anew === true ? { after: null } : await newRows(context, target, done)
  if (window === undefined) return undefined
  const generation = unfinished?.generation ?? done.length
  const folder = partitionFolder(target.schema, target.table, target.from)
  const own =
    unfinished ??
    (await session.transaction(actor, (inner) =>
      insertExport(inner, target, {
        generation,
        folder,
        manifest: manifestKey(folder, target.partition, generation),
        after: window.after,
      }),
    ))
  await context.onStep?.('planned', target)
  const prefix = partPrefix(own.folder, own.partition, generation)
  await removeObjects(store, prefix)
  const manifest = await exportRows(context, target, {
    csv: options.csv,
    generation,
    prefix,
    after: own.after,
  })
  const published = await publishManifest(store, own.manifest, manifest)
  await context.onStep?.('published', target)
  if (!published.won) {
    await removeParts(store, manifest.parts)
    await checkExport(context, published.manifest)
  }
  await record(context, target, own.id, published.manifest, published.sha256)
  return await exported(session, actor, target, generation)
}

async function exported(
  session: DirectSession,
  actor: Actor,
  target: Target,
  generation: number,
): Promise<ExportRecord | undefined> {
  const records = await session.transaction(actor, (inner) => readExports(inner, target))
  return records.find((each) => each.generation === generation)
}

async function record(
  context: ArchiveContext,
  target: Target,
  id: string,
  manifest: Manifest,
  sha256: string,
): Promise<void> {
  await context.session.transaction(context.actor, (inner) =>
    recordVerified(inner, id, manifest, sha256, manifest.upto),
  )
  await context.onStep?.('recorded', target)
}

/**
 * The rows to export: all for the first export, then those after the last one. In a table without a log, new rows
 * cannot be recognized.
 */
async function newRows(
  context: ArchiveContext,
  target: Target,
  done: readonly ExportRecord[],
): Promise<{ readonly after: readonly string[] | null } | undefined> {
  const last = done.at(-1)
  if (last === undefined) return { after: null }
  return await context.session.transaction(
    context.actor,
    async (session) => {
      const source = await openSource(session, target, false)
      if (source.log === null) return isGone(last) ? { after: null } : undefined
      const ledger = await readLedger(session, source.log)
      const window = { after: last.upto, upto: ledger?.frontier ?? null }
      // A partition created again for a dropped period is exported even when it is empty.
      if (isGone(last)) return { after: last.upto }
      return (await keyAt(session, source, window, 1)) === undefined ? undefined : { after: last.upto }
    },
    { readOnly: true },
  )
}

interface ExportPlan {
  readonly csv: boolean
  readonly generation: number
  readonly prefix: string
  readonly after: readonly string[] | null
}

async function exportRows(context: ArchiveContext, target: Target, plan: ExportPlan): Promise<Manifest> {
  const { session, actor, signal } = context
  return await session.transaction(
    actor,
    async (snapshot) => {
      const source = await openSource(snapshot, target, false)
      const ledger = await readLedger(snapshot, source.log)
      const window: Window = { after: plan.after, upto: ledger?.frontier ?? null }
      const { rows, ends } = await boundaries(snapshot, source, window, context.partRows ?? PART_ROWS)
      const range =
        ledger === null
          ? null
          : await countEntries(snapshot, entriesOf(target, ledger), {
              after: await lastPosition(snapshot, target),
              before: ledger.size,
            })
      if (range !== null && range.rows !== rows) {
        throw new AkashiError(
          'integrity',
          `the ledger has ${range.rows} rows of ${target.partition}, the table has ${rows}`,
          { hint: 'run akashi verify to find what was removed or added' },
        )
      }
      const parts = await exportParts(context, snapshot, { source, window, rows, ends, range, ledger, plan })
      const last = parts.at(-1)
      return {
        format: 'akashi-archive/1',
        schema: target.schema,
        table: target.table,
        partition: target.partition,
        from: target.from,
        to: target.to,
        generation: plan.generation,
        replaces: source.log === null && plan.generation > 0,
        rows,
        columns: [...source.columns],
        order: [...source.order],
        after: window.after === null ? null : [...window.after],
        upto: window.upto === null ? null : [...window.upto],
        fingerprint: last?.fingerprint ?? createHash('sha256').digest('hex'),
        ledger:
          ledger === null || range === null
            ? null
            : {
                log: ledger.log,
                firstPosition: range.first,
                lastPosition: range.last,
                size: ledger.size.toString(),
                checkpoint: ledger.checkpoint,
              },
        parts,
        exportedAt: new Date().toISOString(),
      }
    },
    {
      isolation: 'repeatable read',
      readOnly: true,
      timeoutMs: COPY_TIMEOUT_MS,
      ...(signal === undefined ? {} : { signal }),
    },
  )
}

/** The last position of the earlier exports of a partition. */
async function lastPosition(session: Session, target: Target): Promise<string | null> {
  const records = await readExports(session, target)
  const positions = records.flatMap(({ lastPosition: last }) => (last === null ? [] : [BigInt(last)]))
  return (
    positions
      .sort((a, b) => (a < b ? -1 : 1))
      .at(-1)
      ?.toString() ?? null
  )
}

interface PartsPlan {
  readonly source: Source
  readonly window: Window
  readonly rows: number
  readonly ends: readonly (readonly string[])[]
  readonly range: EntryCount | null
  readonly ledger: LedgerState | null
  readonly plan: ExportPlan
}

interface CopiedPart {
  readonly number: number
  readonly rows: number
  readonly csv: string
  readonly positions: string | null
  /** Fingerprint of everything copied so far. */
  readonly fingerprint: string
}

async function exportParts(
  context: ArchiveContext,
  snapshot: Session,
  all: PartsPlan,
): Promise<ManifestPart[]> {
  const attempt = randomBytes(6).toString('hex')
  const parts: ManifestPart[] = []
  // One part is converted while the next is copied, so the disk holds at most two.
  let converting: Promise<void> = Promise.resolve()
  try {
    for await (const copied of copyParts(context, snapshot, all)) {
      await context.onStep?.('copied', all.source)
      await converting
      converting = convertPart(context, all, copied, attempt).then((part) => void parts.push(part))
      converting.catch(() => undefined)
    }
  } finally {
    await Promise.allSettled([converting])
  }
  await converting
  return parts
}

async function* copyParts(
  context: ArchiveContext,
  snapshot: Session,
  all: PartsPlan,
): AsyncGenerator<CopiedPart> {
  const { source, window, range, ledger } = all
  const size = context.partRows ?? PART_ROWS
  const hash = createHash('sha256')
  let left = all.rows
  let after = window.after
  let position = range?.first ?? null
  for (let number = 0; left > 0; number += 1) {
    const rows = Math.min(left, size)
    const upto = all.ends[number] ?? window.upto
    const csv = join(context.folder, `${number}.rows.csv`)
    await writeHashed(snapshot.copyTo(copySql(source, { after, upto })), csv, hash)
    let positions: string | null = null
    if (ledger !== null && range?.last != null && position !== null) {
      positions = join(context.folder, `${number}.positions.csv`)
      const entries = entriesOf(source, ledger)
      const sql = entriesCopySql(entries, { first: position, last: range.last }, rows)
      await writeHashed(snapshot.copyTo(sql), positions, createHash('sha256'))
      position = rows < left ? await positionAfter(snapshot, entries, position, rows) : null
    }
    yield { number, rows, csv, positions, fingerprint: hash.copy().digest('hex') }
    left -= rows
    after = upto
  }
}

function entriesOf({ from, to }: Target, { log }: LedgerState): EntryRange {
  return { log, from, to }
}

async function convertPart(
  context: ArchiveContext,
  { source, plan }: PartsPlan,
  copied: CopiedPart,
  attempt: string,
): Promise<ManifestPart> {
  const { engine, store, folder, signal } = context
  const key = partKey(plan.prefix, attempt, copied.number)
  const parquet = join(folder, `${copied.number}.parquet`)
  await writeParquet(
    engine,
    source.columns,
    { rows: copied.csv, positions: copied.positions, parquet },
    signal,
  )
  engine.rest()
  const put = await putFile(context, key, parquet)
  const csv = plan.csv ? await putCsv(context, csvKey(key), copied.csv) : null
  if (copied.positions !== null) await rm(copied.positions, { force: true })
  await rm(parquet, { force: true })
  await context.onStep?.('stored', source)
  const stored = { key, bytes: put.size, sha256: put.sha256 }
  await fetchObject(store, stored, parquet, signal)
  const back = join(folder, 'back.csv')
  await renderCsv(engine, source.columns, `read_parquet(${literal(parquet)})`, back, signal)
  const same = await equalFiles(copied.csv, back)
  await rm(back, { force: true })
  await rm(copied.csv, { force: true })
  const found = await describeParquet(engine, source.columns, parquet, signal)
  engine.rest()
  await rm(parquet, { force: true })
  if (!same || found.rows !== copied.rows) throw notTheSame(key, source.columns, source.partition)
  await context.onStep?.('compared', source)
  return {
    ...stored,
    rows: found.rows,
    fingerprint: copied.fingerprint,
    firstPosition: found.firstPosition,
    lastPosition: found.lastPosition,
    columns: found.columns,
    csv,
  }
}

async function putCsv(context: ArchiveContext, key: string, file: string): Promise<ManifestPart['csv']> {
  const put = await putFile(context, key, file)
  return { key, bytes: put.size, sha256: put.sha256 }
}

/** Passes the expected hash, so that the store rejects other content. */
async function putFile({ store, signal }: ArchiveContext, key: string, file: string): Promise<ObjectHead> {
  const hash = createHash('sha256')
  await hashFile(file, hash)
  return await store.put(key, createReadStream(file), {
    ifAbsent: true,
    sha256: hash.digest('hex'),
    ...(signal === undefined ? {} : { signal }),
  })
}

function notTheSame(key: string, columns: readonly ArchivedColumn[], partition: string): AkashiError {
  return new AkashiError('integrity', `the data read back from the store differs from ${partition}`, {
    hint: 'either a value cannot be represented in Parquet, or the store is faulty; nothing was published',
    detail: { key, columns: columns.length },
  })
}

/** Removes the objects of an attempt that was stopped before its manifest. */
async function removeObjects(store: ObjectStore, prefix: string): Promise<void> {
  for (const start of [prefix, csvKey(`${prefix}parquet`).replace(/csv$/, '')]) {
    const keys: string[] = []
    for await (const { key } of store.list(start)) keys.push(key)
    for (const key of keys) await store.delete(key)
  }
}

async function removeParts(store: ObjectStore, parts: readonly ManifestPart[]): Promise<void> {
  for (const { key, csv } of parts) {
    await store.delete(key)
    if (csv !== null) await store.delete(csv.key)
  }
}
