/**
 * Copies of the archive at other destinations: whole exports, or the rows of one tenant or class of them. They are
 * made of the objects in the archive, so that they hold what was compared with the table, and the export stays whole.
 * A run that dies leaves objects that no manifest names, and the next one removes them.
 */
import { createHash, type Hash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError, counted } from '../../../foundation/index.ts'
import { checkExport } from '../check.ts'
import type { ArchiveContext } from '../context.ts'
import { beginCopy, type PlannedCopy, recordCopied, recordCopyFailure } from '../copies.ts'
import { archivedGroupColumns, type GroupColumns } from '../groups.ts'
import { ROW_GROUP_ROWS, ZSTD_LEVEL } from '../limits.ts'
import { type Manifest, publishManifest, readManifest, type StoredManifest } from '../manifest.ts'
import { copyFolder, listCopyObjects, manifestKey, partKey } from '../object-keys.ts'
import { fetchObject, hashFile, readParquet, renderCsv } from '../parts.ts'
import { identifier, literal } from '../quote.ts'

/** An export, and its pending copies at one destination. */
export interface OwedCopies {
  readonly export: string
  readonly manifest: string
  readonly manifestSha256: string | null
  readonly copies: readonly PlannedCopy[]
}

interface Begun extends PlannedCopy {
  readonly id: string
  /** Key of its manifest. */
  readonly key: string
  readonly attempt: string
  /** Condition on the rows of the export, in DuckDB; undefined for all rows. */
  readonly condition: string | undefined
  /** Of the rows as the destination has them, and as the archive has them. */
  readonly hash: Hash
  readonly expected: Hash
  readonly parts: Manifest['parts']
}

/** @returns rows that were copied, and of how many copies */
export async function copyExport(
  context: ArchiveContext,
  owed: OwedCopies,
): Promise<{ readonly rows: number; readonly copies: number }> {
  const { store, signal } = context
  const original = await readManifest(store, owed.manifest, owed.manifestSha256, signal)
  if (original === undefined) {
    throw new AkashiError('not_found', `the manifest ${owed.manifest} is missing from the store`)
  }
  const begun = await beginAll(context, original, owed)
  try {
    for (const part of original.manifest.parts) {
      signal?.throwIfAborted()
      const parquet = join(context.folder, 'original.parquet')
      if (begun.length > 0) await fetchObject(store, part, parquet, signal)
      for (const copy of begun) await copyPart(context, original.manifest, part, parquet, copy)
      await rm(parquet, { force: true })
    }
    for (const copy of begun) await publishCopy(context, original, copy)
  } catch (error) {
    if (error instanceof AkashiError && signal?.aborted !== true && !context.session.lost.aborted) {
      const ids = begun.map(({ id }) => id)
      await context.session.transaction(context.actor, (session) =>
        recordCopyFailure(session, ids, error.message),
      )
    }
    throw error
  }
  const rows = begun.reduce((sum, { parts }) => sum + parts.reduce((own, part) => own + part.rows, 0), 0)
  return { rows, copies: begun.length }
}

/** Begins each copy, or takes over what a killed run published of it. */
async function beginAll(
  context: ArchiveContext,
  { manifest, sha256 }: StoredManifest,
  owed: OwedCopies,
): Promise<Begun[]> {
  const { session, actor, store, writer, signal } = context
  const columns = await session.transaction(
    actor,
    (inner) => archivedGroupColumns(inner, manifest, manifest),
    { readOnly: true },
  )
  const begun: Begun[] = []
  for (const copy of owed.copies) {
    const folder = copyFolder(manifest, copy)
    const key = manifestKey(folder, manifest.partition, manifest.generation, writer.name)
    // Checked first, so that nothing is started without a store.
    const published = await readManifest(store, key, null, signal)
    const id = await session.transaction(actor, (inner) =>
      beginCopy(inner, { policy: copy.policy, export: owed.export, manifest: key }),
    )
    // Ended, or retired, since it was planned.
    if (id === null) continue
    if (published !== undefined) {
      // Published and not recorded: the run was killed between the two.
      if (published.manifest.copyOf?.sha256 !== sha256) {
        throw new AkashiError('integrity', `${key} is not a copy of ${owed.manifest}`, { detail: { key } })
      }
      await checkExport(context, published.manifest)
      await session.transaction(actor, (inner) => recordCopied(inner, id, published))
      continue
    }
    for (const left of await listCopyObjects(store, key)) await store.delete(left)
    const attempt = randomBytes(6).toString('hex')
    const condition = conditionOf(columns, copy)
    begun.push({
      ...copy,
      id,
      key,
      attempt,
      condition,
      hash: createHash('sha256'),
      expected: createHash('sha256'),
      parts: [],
    })
  }
  await context.onStep('planned', manifest)
  return begun
}

/** A column that the table did not have when it was exported is NULL in each of its rows. */
function conditionOf(columns: GroupColumns, { tenant, class: kind }: PlannedCopy): string | undefined {
  const equals = (column: string | null, value: string) =>
    column === null ? 'false' : `${identifier(column)}::VARCHAR = ${literal(value)}`
  const conditions = [
    ...(tenant === null ? [] : [equals(columns.tenant, tenant)]),
    ...(kind === null ? [] : [equals(columns.class, kind)]),
  ]
  return conditions.length === 0 ? undefined : conditions.join(' and ')
}

async function copyPart(
  context: ArchiveContext,
  manifest: Manifest,
  original: Manifest['parts'][number],
  parquet: string,
  copy: Begun,
): Promise<void> {
  const { engine, store, folder, signal } = context
  const selected = copy.condition === undefined ? parquet : join(folder, 'selected.parquet')
  const [back, scratch] = [join(folder, 'back.parquet'), join(folder, 'back.csv')]
  try {
    if (copy.condition !== undefined) {
      await engine.run(
        `copy (select * from read_parquet(${literal(parquet)}) where ${copy.condition}) to ${literal(selected)}
          (format parquet, parquet_version v2, compression zstd, compression_level ${ZSTD_LEVEL}, row_group_size ${ROW_GROUP_ROWS})`,
        signal,
      )
      const [found] = await engine.run(
        `select count(*)::VARCHAR as rows from read_parquet(${literal(selected)})`,
        signal,
      )
      if (found?.['rows'] === '0') return
    }
    const sha256 = createHash('sha256')
    await hashFile(selected, sha256)
    const key = partKey(copy.key, copy.attempt, copy.parts.length)
    const put = await store.put(key, createReadStream(selected), {
      ifAbsent: true,
      sha256: sha256.digest('hex'),
      ...(signal === undefined ? {} : { signal }),
    })
    await context.onStep('stored', manifest)
    const stored = { key, bytes: put.size, sha256: put.sha256 }
    await fetchObject(store, stored, back, signal)
    const found = await readParquet(engine, manifest.columns, back, scratch, copy.hash, signal)
    const fingerprint = copy.hash.copy().digest('hex')
    if (fingerprint !== (await expectedFingerprint(context, manifest, original, parquet, copy))) {
      throw new AkashiError('integrity', `${key} does not contain the rows of ${original.key}`, {
        detail: { key },
      })
    }
    const { rows, firstPosition, lastPosition, columns } = found
    copy.parts.push({ ...stored, rows, fingerprint, firstPosition, lastPosition, columns, csv: null })
    await context.onStep('compared', manifest)
  } finally {
    engine.release()
    for (const file of [selected, back, scratch]) if (file !== parquet) await rm(file, { force: true })
  }
}

/** The fingerprint of the copied rows up to the end of a part, from the archive. */
async function expectedFingerprint(
  { engine, folder, signal }: ArchiveContext,
  manifest: Manifest,
  original: Manifest['parts'][number],
  parquet: string,
  { condition, expected }: Begun,
): Promise<string> {
  if (condition === undefined) return original.fingerprint
  const csv = join(folder, 'expected.csv')
  const source = `(select * from read_parquet(${literal(parquet)}) where ${condition})`
  await renderCsv(engine, manifest.columns, source, csv, signal)
  await hashFile(csv, expected)
  await rm(csv, { force: true })
  return expected.copy().digest('hex')
}

/** A copy without rows has no object, so that many tenants cost nothing at a destination where they have no rows. */
async function publishCopy(
  context: ArchiveContext,
  { manifest, sha256 }: StoredManifest,
  copy: Begun,
): Promise<void> {
  const { session, actor, store, writer } = context
  const rows = copy.parts.reduce((sum, part) => sum + part.rows, 0)
  if (copy.condition === undefined && rows !== manifest.rows) {
    throw new AkashiError('integrity', `the copy of ${manifest.partition} lacks rows`, {
      detail: { key: copy.key },
    })
  }
  if (rows === 0) {
    await session.transaction(actor, (inner) => recordCopied(inner, copy.id, null))
    return
  }
  const { ledger } = manifest
  const published = await publishManifest(store, copy.key, {
    ...manifest,
    database: writer.database,
    rows,
    fingerprint: copy.hash.digest('hex'),
    parts: copy.parts,
    ledger:
      ledger === null
        ? null
        : {
            ...ledger,
            firstPosition: copy.parts[0]?.firstPosition ?? null,
            lastPosition: copy.parts.at(-1)?.lastPosition ?? null,
          },
    copyOf: {
      manifest: copy.exportManifest,
      sha256,
      fingerprint: manifest.fingerprint,
      rows: manifest.rows,
      tenant: copy.tenant,
      class: copy.class,
      copiedAt: new Date().toISOString(),
    },
  })
  await context.onStep('published', manifest)
  if (!published.won) {
    throw new AkashiError('conflict', `another run copies ${counted(rows, 'row')} of ${manifest.partition}`, {
      hint: 'the next run checks the result',
    })
  }
  await session.transaction(actor, (inner) => recordCopied(inner, copy.id, published))
  await context.onStep('recorded', manifest)
}
