/** The state of archived partitions, and whether the store still holds their objects. */
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { checkExport } from './check.ts'
import { type StoreContext, withStoreContext } from './context.ts'
import { type CopyRecord, listCopies } from './copies.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { fetchObject } from './parts.ts'
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
    ({ state }) => state !== 'exporting' && state !== 'superseded' && state !== 'retired',
  )
  return (await checkExports(store, records, filter)).map(({ frozen, ...check }) => check)
}

/** The same of certain exports; `frozen` are those in cold storage, which is a problem only to who wants to read them. */
export async function checkExports(
  store: ObjectStore,
  records: readonly ExportRecord[],
  { signal, onCheck }: { readonly signal?: AbortSignal; readonly onCheck?: (check: ArchiveCheck) => void },
): Promise<(ArchiveCheck & { readonly frozen: boolean })[]> {
  return await withStoreContext(store, signal, async (context) => {
    const checks: (ArchiveCheck & { readonly frozen: boolean })[] = []
    for (const record of records) {
      signal?.throwIfAborted()
      const problem = await problemOf(context, record)
      const check: ArchiveCheck = {
        table: `${record.schema}.${record.table}`,
        partition: record.partition,
        generation: record.generation,
        object: record.manifest,
        rows: record.rows ?? 0,
        ok: problem === null,
        message: problem?.message ?? null,
      }
      checks.push({ ...check, frozen: problem?.frozen === true })
      onCheck?.(check)
    }
    return checks
  })
}

interface Problem {
  readonly message: string
  readonly frozen: boolean
}

async function problemOf(context: StoreContext, record: ExportRecord): Promise<Problem | null> {
  const { store, signal } = context
  const wrong = (message: string) => ({ message, frozen: false })
  try {
    const stored = await readManifest(store, record.manifest, record.manifestSha256, signal)
    if (stored === undefined)
      return record.state === 'retiring' ? null : wrong('the manifest is missing from the store')
    if (stored.manifest.fingerprint !== record.fingerprint)
      return wrong('the fingerprint of the manifest differs from the recorded one')
    if (record.state === 'retiring') await checkRemaining(context, stored.manifest)
    else await checkExport(context, stored.manifest)
    return null
  } catch (error) {
    const frozen = error instanceof AkashiError && error.detail['frozen'] === true
    if (error instanceof AkashiError && (frozen || error.code === 'integrity' || error.code === 'not_found'))
      return { message: error.message, frozen }
    throw error
  }
}

/** Objects of an export that is being deleted: a legal hold may keep those that are left. */
async function checkRemaining({ store, folder, signal }: StoreContext, { parts }: Manifest): Promise<void> {
  for (const part of parts) {
    if ((await store.head(part.key)) !== null)
      await fetchObject(store, part, join(folder, 'check.parquet'), signal)
  }
}

/** Every copy at another destination. */
export async function copyStatus(
  database: Database,
  actor: Actor,
  { table, signal }: ArchiveFilter = {},
): Promise<CopyRecord[]> {
  return await database.transaction(actor, (session) => listCopies(session, table ?? null), {
    readOnly: true,
    ...(signal === undefined ? {} : { signal }),
  })
}

export type CopyCheck = CopyRecord & {
  readonly ok: boolean
  /** Null when there is none. */
  readonly problem: string | null
}

/** Reads every copy back from its destination. Problems are reported in its row. */
export async function verifyCopies(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  filter: ArchiveFilter = {},
): Promise<CopyCheck[]> {
  const copies = (await copyStatus(database, actor, filter)).filter(({ state }) => state === 'verified')
  return await withStoreContext(store, filter.signal, async (context) => {
    const checks: CopyCheck[] = []
    for (const copy of copies) {
      filter.signal?.throwIfAborted()
      const problem = await copyProblem(context, copy)
      checks.push({ ...copy, ok: problem === null, problem })
    }
    return checks
  })
}

async function copyProblem(context: StoreContext, copy: CopyRecord): Promise<string | null> {
  if (copy.manifestSha256 === null) return null
  try {
    const stored = await readManifest(context.store, copy.manifest, copy.manifestSha256, context.signal)
    if (stored === undefined) return 'the manifest is missing from the store'
    await checkExport(context, stored.manifest)
    return null
  } catch (error) {
    // One destination that is away leaves the others to be checked.
    if (error instanceof AkashiError && context.signal?.aborted !== true) return error.message
    throw error
  }
}
