/** The review of the archive: a sample of every table is read back, so that what nobody asks for is looked at too. */
import { randomInt } from 'node:crypto'
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import type { ExportRecord } from './records.ts'
import { type ArchiveCheck, archiveStatus, checkExports } from './status.ts'

/** Exports of a table that one review reads: the oldest, the newest, and others by chance. */
export const REVIEWED_PER_TABLE = 8

export interface ArchiveReview {
  /** Exports that are in the store. */
  readonly exports: number
  /** Those that were read back and compared with their manifests. */
  readonly checked: number
  readonly rows: number
  readonly tables: number
  /** Those that lie in cold storage and were not thawed for this. */
  readonly frozen: number
  readonly problems: readonly ArchiveCheck[]
}

export async function reviewArchive(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  {
    perTable = REVIEWED_PER_TABLE,
    signal,
  }: { readonly perTable?: number; readonly signal?: AbortSignal } = {},
): Promise<ArchiveReview> {
  const filter = signal === undefined ? {} : { signal }
  const records = (await archiveStatus(database, actor, filter)).filter(({ state }) =>
    ['verified', 'detached', 'dropped'].includes(state),
  )
  const byTable = Map.groupBy(records, ({ schema, table }) => `${schema}.${table}`)
  const sample = [...byTable.values()].flatMap((exports) => sampleOf(exports, perTable))
  const checks = await checkExports(store, sample, filter)
  const cold = checks.filter(({ frozen }) => frozen)
  return {
    exports: records.length,
    checked: checks.length - cold.length,
    rows: checks.filter(({ ok }) => ok).reduce((sum, { rows }) => sum + rows, 0),
    tables: byTable.size,
    frozen: cold.length,
    problems: checks.filter(({ ok, frozen }) => !ok && !frozen),
  }
}

/** Ordered by their bounds: the first and the last are always among them. */
function sampleOf(exports: readonly ExportRecord[], count: number): ExportRecord[] {
  const [first, ...between] = exports
  const last = between.pop()
  const chosen = [first, last].filter((record) => record !== undefined)
  while (chosen.length < count && between.length > 0) {
    chosen.push(...between.splice(randomInt(between.length), 1))
  }
  return chosen
}

/** @throws integrity that names what differs */
export function requireIntact({ problems }: ArchiveReview): void {
  if (problems.length === 0) return
  const named = problems.map(({ partition, generation, message }) => `${partition}.${generation}: ${message}`)
  throw new AkashiError('integrity', `archived partitions are damaged: ${named.join('; ')}`, {
    hint: 'akashi archive verify reads every one; docs/runbooks/archive.md says what to do',
  })
}
