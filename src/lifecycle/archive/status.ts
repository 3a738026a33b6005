/** The state of archived partitions, and whether the store still has their content. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError, makeScratchFolder } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { checkExport } from './check.ts'
import { openEngine } from './engine.ts'
import { readManifest } from './manifest.ts'
import { type ExportRecord, listExports } from './records.ts'

export interface ArchiveFilter {
  /** `schema.table`; without it, every table. */
  readonly table?: { readonly schema: string; readonly table: string }
  readonly signal?: AbortSignal
}

/** Every export, ordered by table and bounds. */
export async function archiveStatus(
  database: Database,
  actor: Actor,
  { table, signal }: ArchiveFilter = {},
): Promise<ExportRecord[]> {
  return await database.transaction(actor, (session) => listExports(session, table ?? null), {
    readOnly: true,
    ...(signal === undefined ? {} : { signal }),
  })
}

export interface ArchiveCheck {
  /** `schema.table` */
  readonly table: string
  readonly partition: string
  readonly generation: number
  readonly object: string
  readonly rows: number
  readonly ok: boolean
  /** The problem; null when there is none. */
  readonly message: string | null
}

/** Reads every export back from the store and compares it with its manifest. Problems are reported in its row. */
export async function verifyArchive(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  filter: ArchiveFilter & { readonly onCheck?: (check: ArchiveCheck) => void } = {},
): Promise<ArchiveCheck[]> {
  const records = (await archiveStatus(database, actor, filter)).filter(
    ({ state }) => state !== 'exporting' && state !== 'retiring' && state !== 'retired',
  )
  const folder = await makeScratchFolder('archive-verify')
  const engine = openEngine(join(folder, 'engine'))
  const { signal } = filter
  const checks: ArchiveCheck[] = []
  try {
    for (const record of records) {
      signal?.throwIfAborted()
      const message = await problemOf(record, {
        store,
        engine,
        folder,
        ...(signal === undefined ? {} : { signal }),
      })
      const check: ArchiveCheck = {
        table: `${record.schema}.${record.table}`,
        partition: record.partition,
        generation: record.generation,
        object: record.manifest,
        rows: record.rows ?? 0,
        ok: message === null,
        message,
      }
      checks.push(check)
      filter.onCheck?.(check)
    }
    return checks
  } finally {
    engine.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function problemOf(
  record: ExportRecord,
  parts: Parameters<typeof checkExport>[0],
): Promise<string | null> {
  try {
    const stored = await readManifest(parts.store, record.manifest, record.manifestSha256, parts.signal)
    if (stored === undefined) return 'the manifest is missing from the store'
    if (stored.manifest.fingerprint !== record.fingerprint)
      return 'the fingerprint of the manifest differs from the recorded one'
    await checkExport(parts, stored.manifest)
    return null
  } catch (error) {
    const frozen = error instanceof AkashiError && error.detail['frozen'] === true
    if (error instanceof AkashiError && (frozen || error.code === 'integrity' || error.code === 'not_found'))
      return error.message
    throw error
  }
}
