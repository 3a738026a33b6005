/** Archived rows for the ledger's verification: entry hashes recomputed from the Parquet files. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type ArchivedEntry,
  type ArchivedObject,
  type ArchivedRows,
  duckdbEntrySql,
  logNamed,
} from '../../audit/index.ts'
import { AkashiError, makeScratchFolder } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { POSITION_COLUMN } from './columns.ts'
import { openEngine, type Row } from './engine.ts'
import { type ManifestPart, readManifest } from './manifest.ts'
import { fetchObject } from './parts.ts'
import { literal } from './quote.ts'
import { listExports } from './records.ts'

const MICROSECONDS_PER_MILLISECOND = 1000n
/** The first and last time of ECMAScript, in milliseconds before and after 1970. */
const FARTHEST_MS = 8_640_000_000_000_000

/** Rows that are only in the store: those of detached and dropped partitions. */
export function archivedRows(database: Database, actor: Actor, store: ObjectStore): ArchivedRows {
  const parts = new Map<string, { readonly log: string; readonly part: ManifestPart }>()
  return {
    objects: async (log, signal) => {
      const { schema, table } = logNamed(log)
      const records = await database.transaction(
        actor,
        (session) => listExports(session, { schema, table }),
        {
          readOnly: true,
        },
      )
      const objects: ArchivedObject[] = []
      for (const record of records) {
        if (record.state !== 'detached' && record.state !== 'dropped') continue
        const stored = await readOrName(store, record.manifest, record.manifestSha256, signal)
        for (const part of stored?.manifest.parts ?? []) {
          parts.set(part.key, { log, part })
          objects.push({
            name: part.key,
            partition: record.partition,
            from: boundOf(record.from),
            to: boundOf(record.to),
            rows: BigInt(part.rows),
            firstPosition: BigInt(part.firstPosition ?? 0),
            lastPosition: BigInt(part.lastPosition ?? 0),
          })
        }
        if (stored === undefined && record.rows !== 0) {
          // Listed as an object, so that reading its entries reports why it is missing.
          objects.push({
            name: record.manifest,
            partition: record.partition,
            from: boundOf(record.from),
            to: boundOf(record.to),
            rows: BigInt(record.rows ?? 0),
            firstPosition: BigInt(record.firstPosition ?? 0),
            lastPosition: BigInt(record.lastPosition ?? 0),
          })
        }
      }
      return objects
    },
    entries: (object, signal) => readEntries(store, parts.get(object.name), object, signal),
  }
}

/** A bound of a partition; an infinite one is the farthest time that there is. */
function boundOf(text: string): Date {
  if (text.endsWith('infinity')) return new Date(text.startsWith('-') ? -FARTHEST_MS : FARTHEST_MS)
  return new Date(text)
}

/** Undefined for a missing or damaged manifest, which the verification reports instead of failing. */
async function readOrName(store: ObjectStore, key: string, sha256: string | null, signal?: AbortSignal) {
  try {
    return await readManifest(store, key, sha256, signal)
  } catch (error) {
    if (error instanceof AkashiError && error.code === 'integrity') return undefined
    throw error
  }
}

async function* readEntries(
  store: ObjectStore,
  known: { readonly log: string; readonly part: ManifestPart } | undefined,
  object: ArchivedObject,
  signal?: AbortSignal,
): AsyncGenerator<readonly ArchivedEntry[]> {
  if (known === undefined) {
    throw new AkashiError(
      'not_found',
      'the manifest is missing from the store or differs from the published one',
    )
  }
  const folder = await makeScratchFolder('archived')
  const engine = openEngine(join(folder, 'engine'))
  try {
    const file = join(folder, 'object.parquet')
    await fetchObject(store, known.part, file, signal)
    const { texts, hash } = duckdbEntrySql(logNamed(known.log))
    const rows = engine.stream(
      `select place::VARCHAR as place, id, micros::VARCHAR as micros, ${hash} as hash
       from (select r.${POSITION_COLUMN} as place, r.id::VARCHAR as id, epoch_us(r.created_at) as micros, ${texts}
             from read_parquet(${literal(file)}) r) t`,
      signal,
    )
    for await (const batch of rows) yield batch.map((row) => entryOf(row, object))
  } finally {
    engine.close()
    await rm(folder, { recursive: true, force: true })
  }
}

function entryOf(row: Row, { name }: ArchivedObject): ArchivedEntry {
  const { place, id, micros, hash } = row
  if (
    typeof place !== 'string' ||
    typeof id !== 'string' ||
    typeof micros !== 'string' ||
    typeof hash !== 'string'
  ) {
    throw new AkashiError('integrity', `${name} has a row without position, id or time`)
  }
  return {
    position: BigInt(place),
    rowId: id,
    createdAt: new Date(Number(BigInt(micros) / MICROSECONDS_PER_MILLISECOND)),
    entryHash: Buffer.from(hash, 'hex'),
  }
}
