/**
 * Exports the rows of one partition that no export holds yet: they are copied out in parts, stored as Parquet, read
 * back and compared, and only then the manifest is published. A run that dies leaves objects that no manifest names,
 * and the next one removes them.
 */
import { createHash } from 'node:crypto'
import { countEntries } from '../../../audit/index.ts'
import { AkashiError } from '../../../foundation/index.ts'
import type { Session } from '../../../postgres/index.ts'
import { checkExport } from '../check.ts'
import type { ArchiveContext } from '../context.ts'
import { archivedGroupColumns, type Group, readGroupColumns, readGroups, recordGroups } from '../groups.ts'
import { COPY_TIMEOUT_MS } from '../limits.ts'
import { type Manifest, publishManifest, readManifest, type StoredManifest } from '../manifest.ts'
import { listObjects, manifestKey, partitionFolder } from '../object-keys.ts'
import {
  type ExportRecord,
  insertExport,
  isGone,
  readExports,
  recordVerified,
  restartExport,
} from '../records.ts'
import {
  boundaries,
  describeColumns,
  hasRow,
  openSource,
  readLedger,
  type Target,
  type Window,
} from '../source.ts'
import { type Copying, copyParts } from './copy-parts.ts'

/**
 * @param options.csv keeps a CSV copy of each object as well
 * @param options.anew exports every row of the table again, in place of its exports
 * @returns how many rows were exported; undefined when every row is exported already
 */
export async function exportPartition(
  context: ArchiveContext,
  target: Target,
  options: { readonly csv: boolean; readonly anew?: boolean },
): Promise<number | undefined> {
  const { session, actor, store, writer } = context
  const records = await session.transaction(actor, (inner) => readExports(inner, target))
  const done = records.filter(({ state }) => state !== 'exporting')
  const generation = done.length
  const folder = partitionFolder(target.schema, target.table, target.from)
  const manifest = manifestKey(folder, target.partition, generation, writer.name)
  const unfinished = records.find(({ state }) => state === 'exporting')
  if (unfinished?.manifest === manifest) {
    const published = await readManifest(store, manifest)
    if (published !== undefined) {
      // Published and not recorded: the run was killed between the two.
      return await record(
        context,
        target,
        unfinished.id,
        published,
        await countChecked(context, published.manifest),
      )
    }
  }
  const anew = options.anew === true && done.length > 0
  // What is gone from the table is not exported again.
  const after = anew ? (done.findLast(isGone)?.upto ?? null) : await lastKey(context, target, done)
  if (after === undefined) return undefined
  const { id } = await session.transaction(actor, async (inner) => {
    const values = { generation, folder, manifest, after }
    if (unfinished === undefined) return await insertExport(inner, target, values)
    await restartExport(inner, { ...unfinished, ...values })
    return unfinished
  })
  await context.onStep('planned', target)
  for (const key of await listObjects(store, manifest)) await store.delete(key)
  const copying = await prepareCopying(context, target, {
    after,
    manifest,
    csv: options.csv,
    earlier: anew ? done.filter(isGone) : done,
  })
  const exported = await exportRows(context, copying, { generation, anew })
  const published = await publishManifest(store, manifest, exported.manifest)
  await context.onStep('published', target)
  if (!published.won) await removeUnnamed(context, manifest, published.manifest)
  const groups = published.won ? exported.groups : await countChecked(context, published.manifest)
  return await record(context, target, id, published, groups)
}

/** Checks what another attempt published, and counts whose rows it has. */
async function countChecked(context: ArchiveContext, manifest: Manifest): Promise<readonly Group[]> {
  const { session, actor, engine, signal } = context
  const columns = await session.transaction(
    actor,
    (inner) => archivedGroupColumns(inner, manifest, manifest),
    {
      readOnly: true,
    },
  )
  const groups: Group[] = []
  await checkExport(context, manifest, async (parquet) => {
    groups.push(...(await readGroups(engine, columns, parquet, signal)))
  })
  return groups
}

/** Removes the objects of an attempt that lost to another one. */
async function removeUnnamed(
  { store }: ArchiveContext,
  manifest: string,
  { parts }: Manifest,
): Promise<void> {
  const named = new Set(parts.flatMap(({ key, csv }) => [key, csv?.key]))
  for (const key of await listObjects(store, manifest)) if (!named.has(key)) await store.delete(key)
}

async function record(
  context: ArchiveContext,
  target: Target,
  id: string,
  { manifest, sha256 }: StoredManifest,
  groups: readonly Group[],
): Promise<number> {
  await context.session.transaction(context.actor, async (inner) => {
    await recordVerified(inner, id, manifest, sha256)
    await recordGroups(inner, id, manifest.rows, groups)
  })
  await context.onStep('recorded', target)
  return manifest.rows
}

/**
 * The key after which rows are not exported yet: null for all, undefined when there are none. A table without a log
 * cannot say which rows are new.
 */
async function lastKey(
  { session, actor }: ArchiveContext,
  target: Target,
  done: readonly ExportRecord[],
): Promise<readonly string[] | null | undefined> {
  const last = done.findLast(({ state }) => state !== 'superseded')
  if (last === undefined) return null
  return await session.transaction(
    actor,
    async (inner) => {
      const source = await openSource(inner, target)
      // A partition that was made again for a period that is gone is exported even when nothing is in it.
      if (isGone(last)) return source.log === null ? null : last.upto
      if (source.log === null) return undefined
      const ledger = await readLedger(inner, source.log)
      const window = { after: last.upto, upto: ledger?.frontier ?? null }
      return (await hasRow(inner, source, window)) ? last.upto : undefined
    },
    { readOnly: true },
  )
}

/** Opens the partition and finds where its parts end; each part is then copied in a transaction of its own. */
async function prepareCopying(
  context: ArchiveContext,
  target: Target,
  plan: Pick<Copying, 'manifest' | 'csv'> & {
    readonly after: readonly string[] | null
    readonly earlier: readonly ExportRecord[]
  },
): Promise<Copying & { readonly columns: Manifest['columns'] }> {
  const work = async (session: Session) => {
    const source = await openSource(session, target)
    const ledger = await readLedger(session, source.log)
    const window: Window = { after: plan.after, upto: ledger?.frontier ?? null }
    const { rows, ends } = await boundaries(session, source, window, context.partRows)
    const entries =
      ledger === null
        ? null
        : await countEntries(
            session,
            { log: ledger.log, from: target.from, to: target.to },
            {
              after: lastPosition(plan.earlier),
              before: ledger.size,
            },
          )
    if (entries !== null && entries.rows !== rows) {
      throw new AkashiError(
        'integrity',
        `the ledger has ${entries.rows} rows of ${target.partition}, the table has ${rows}`,
        { hint: 'run akashi verify to find what was removed or added' },
      )
    }
    const columns = await describeColumns(session, source)
    const groupColumns = await readGroupColumns(session, target)
    return { ...plan, source, ledger, window, rows, ends, entries, columns, groupColumns }
  }
  return await context.session.transaction(context.actor, work, {
    isolation: 'repeatable read',
    readOnly: true,
    timeoutMs: COPY_TIMEOUT_MS,
  })
}

/** The position that earlier exports reach; null for none. */
function lastPosition(earlier: readonly ExportRecord[]): string | null {
  const positions = earlier.flatMap(({ lastPosition: last }) => (last === null ? [] : [BigInt(last)]))
  return (
    positions
      .toSorted((a, b) => (a < b ? -1 : 1))
      .at(-1)
      ?.toString() ?? null
  )
}

async function exportRows(
  context: ArchiveContext,
  copying: Awaited<ReturnType<typeof prepareCopying>>,
  { generation, anew }: { readonly generation: number; readonly anew: boolean },
): Promise<{ readonly manifest: Manifest; readonly groups: readonly Group[] }> {
  const { source, window, ledger, entries, columns } = copying
  const { parts, groups } = await copyParts(context, copying)
  const manifest: Manifest = {
    format: 'akashi-archive/1',
    schema: source.schema,
    table: source.table,
    partition: source.partition,
    from: source.from,
    to: source.to,
    generation,
    database: context.writer.database,
    tableOid: source.oid,
    partitionOid: source.partitionOid,
    replaces: anew,
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    columns,
    order: [...source.order],
    after: window.after === null ? null : [...window.after],
    upto: window.upto === null ? null : [...window.upto],
    fingerprint: parts.at(-1)?.fingerprint ?? createHash('sha256').digest('hex'),
    ledger:
      ledger === null || entries === null
        ? null
        : {
            log: ledger.log,
            firstPosition: entries.first,
            lastPosition: entries.last,
            size: ledger.size.toString(),
            checkpoint: ledger.checkpoint,
          },
    parts: [...parts],
    exportedAt: new Date().toISOString(),
  }
  return { manifest, groups }
}
