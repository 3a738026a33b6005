/**
 * The parts of an export: while one is converted, stored and read back, the next one is copied out of PostgreSQL. No
 * transaction is open while the store is waited for, so a slow store ends none and holds back no vacuum.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type EntryCount, type EntryRange, entriesCopySql, positionAfter } from '../../../audit/index.ts'
import { AkashiError } from '../../../foundation/index.ts'
import type { ObjectHead } from '../../../object-store/index.ts'
import type { Session } from '../../../postgres/index.ts'
import type { ArchiveContext } from '../context.ts'
import { equalFiles } from '../equal-files.ts'
import { type Group, type GroupColumns, readGroups } from '../groups.ts'
import { COPY_TIMEOUT_MS } from '../limits.ts'
import type { ManifestPart } from '../manifest.ts'
import { csvKey, partKey } from '../object-keys.ts'
import { describeParquet, fetchObject, hashFile, renderCsv, writeHashed, writeParquet } from '../parts.ts'
import { literal } from '../quote.ts'
import {
  copySql,
  type LedgerState,
  reopenSource,
  type Source,
  type Window,
  wholeSelection,
} from '../source.ts'

/** What is copied, from where to where. */
export interface Copying {
  readonly source: Source
  readonly window: Window
  readonly rows: number
  /** Keys of the last row of every part but the last. */
  readonly ends: readonly (readonly string[])[]
  readonly ledger: LedgerState | null
  readonly entries: EntryCount | null
  /** Key of the manifest, from which those of the objects follow. */
  readonly manifest: string
  readonly csv: boolean
  readonly groupColumns: GroupColumns
}

interface CopiedPart {
  readonly number: number
  readonly csv: string
  readonly positions: string | null
  /** SHA-256 of everything copied so far. */
  readonly fingerprint: string
}

/** What was stored: the parts, and whose rows they have. */
export interface StoredParts {
  readonly parts: readonly ManifestPart[]
  readonly groups: readonly Group[]
}

export async function copyParts(context: ArchiveContext, copying: Copying): Promise<StoredParts> {
  const attempt = randomBytes(6).toString('hex')
  const parts: ManifestPart[] = []
  const groups: Group[] = []
  // One part is converted while the next is copied, never more: the disk holds two.
  let converting: Promise<void> = Promise.resolve()
  try {
    for await (const copied of readParts(context, copying)) {
      await context.onStep('copied', copying.source)
      await converting
      converting = storePart(context, copying, copied, attempt).then((stored) => {
        if (stored === undefined) return
        parts.push(stored.part)
        groups.push(...stored.groups)
      })
      converting.catch(() => undefined)
    }
  } finally {
    await Promise.allSettled([converting])
  }
  await converting
  return { parts, groups }
}

async function* readParts(context: ArchiveContext, copying: Copying): AsyncGenerator<CopiedPart> {
  const { source, window, entries, ends, rows } = copying
  const hash = createHash('sha256')
  const count = rows === 0 ? 0 : ends.length + 1
  let after = window.after
  let position = entries?.first ?? null
  for (let number = 0; number < count; number += 1) {
    const upto = ends[number] ?? window.upto
    const csv = join(context.folder, `${number}.rows.csv`)
    const file = join(context.folder, `${number}.positions.csv`)
    const first = position
    const size = number === count - 1 ? rows - number * context.partRows : context.partRows
    const work = async (session: Session) => {
      await reopenSource(session, source)
      await writeHashed(session.copyTo(copySql(source, wholeSelection(source), { after, upto })), csv, hash)
      return await copyPositions(session, copying, { first, rows: size, file })
    }
    const next = await context.session.transaction(context.actor, work, {
      readOnly: true,
      retries: 0,
      timeoutMs: COPY_TIMEOUT_MS,
      ...(context.signal === undefined ? {} : { signal: context.signal }),
    })
    const positions = next === undefined ? null : file
    yield { number, csv, positions, fingerprint: hash.copy().digest('hex') }
    after = upto
    position = next ?? null
  }
}

/** @returns the position after the part, null for the last; undefined where there is no log */
async function copyPositions(
  session: Session,
  { source, ledger, entries }: Copying,
  part: { readonly first: string | null; readonly rows: number; readonly file: string },
): Promise<string | null | undefined> {
  if (ledger === null || entries?.last == null || part.first === null) return undefined
  const range: EntryRange = { log: ledger.log, from: source.from, to: source.to }
  const sql = entriesCopySql(range, { first: part.first, last: entries.last }, part.rows)
  await writeHashed(session.copyTo(sql), part.file, createHash('sha256'))
  return await positionAfter(session, range, part.first, part.rows)
}

async function storePart(
  context: ArchiveContext,
  { source, manifest, csv, groupColumns }: Copying,
  copied: CopiedPart,
  attempt: string,
): Promise<{ readonly part: ManifestPart; readonly groups: readonly Group[] } | undefined> {
  const { engine, store, folder, signal } = context
  const { columns } = source
  const key = partKey(manifest, attempt, copied.number)
  const parquet = join(folder, `${copied.number}.parquet`)
  await writeParquet(engine, columns, { rows: copied.csv, positions: copied.positions, parquet }, signal)
  engine.release()
  const put = await putFile(context, key, parquet)
  const copy = csv ? await putFile(context, csvKey(key), copied.csv) : null
  if (copied.positions !== null) await rm(copied.positions, { force: true })
  await rm(parquet, { force: true })
  await context.onStep('stored', source)
  const stored = { key, bytes: put.size, sha256: put.sha256 }
  await fetchObject(store, stored, parquet, signal)
  const back = join(folder, 'back.csv')
  await renderCsv(engine, columns, `read_parquet(${literal(parquet)})`, back, signal)
  const same = await equalFiles(copied.csv, back)
  await rm(back, { force: true })
  await rm(copied.csv, { force: true })
  const found = await describeParquet(engine, columns, parquet, signal)
  const groups = await readGroups(engine, groupColumns, parquet, signal)
  engine.release()
  await rm(parquet, { force: true })
  if (!same) throw notTheSame(key, source)
  await context.onStep('compared', source)
  if (found.rows === 0) {
    // All rows of the part were deleted since its end was found.
    for (const unused of [key, ...(copy === null ? [] : [copy.key])]) await store.delete(unused)
    return undefined
  }
  const part = {
    ...stored,
    rows: found.rows,
    fingerprint: copied.fingerprint,
    firstPosition: found.firstPosition,
    lastPosition: found.lastPosition,
    columns: found.columns,
    csv: copy === null ? null : { key: copy.key, bytes: copy.size, sha256: copy.sha256 },
  }
  return { part, groups }
}

/** The store is given the hash of the bytes, so that it refuses others. */
async function putFile({ store, signal }: ArchiveContext, key: string, file: string): Promise<ObjectHead> {
  const hash = createHash('sha256')
  await hashFile(file, hash)
  return await store.put(key, createReadStream(file), {
    ifAbsent: true,
    sha256: hash.digest('hex'),
    ...(signal === undefined ? {} : { signal }),
  })
}

function notTheSame(key: string, { columns, partition }: Source): AkashiError {
  return new AkashiError('integrity', `the data read back from the store differs from ${partition}`, {
    hint: 'either a value cannot be represented in Parquet, or the store is faulty; nothing was published',
    detail: { key, columns: columns.length },
  })
}
