/** Rows of akashi_lifecycle.exports. */
import type { Session } from '../../postgres/index.ts'
import type { Manifest } from './manifest.ts'
import type { Target } from './source.ts'

export interface ExportRecord extends Target {
  readonly id: string
  readonly generation: number
  readonly state: 'exporting' | 'verified' | 'superseded' | 'detached' | 'dropped' | 'retiring' | 'retired'
  readonly folder: string
  readonly manifest: string
  readonly manifestSha256: string | null
  readonly fingerprint: string | null
  readonly rows: number | null
  readonly objects: number | null
  readonly bytes: number | null
  readonly after: readonly string[] | null
  readonly upto: readonly string[] | null
  readonly firstPosition: string | null
  readonly lastPosition: string | null
  readonly verifiedAt: string | null
  readonly detachedAt: string | null
  readonly droppedAt: string | null
  readonly restoredAt: string | null
  readonly retiredAt: string | null
  readonly keepUntil: string | null
  readonly message: string | null
}

const columns = `
  id, schema_name as schema, table_name as "table", partition_name as partition, lower_bound as "from", upper_bound as "to",
  generation, state, folder, manifest, manifest_sha256 as "manifestSha256", fingerprint, row_count::float8 as rows, objects,
  bytes::float8 as bytes, after_key as after, upto_key as upto, first_position::text as "firstPosition",
  last_position::text as "lastPosition", verified_at as "verifiedAt", detached_at as "detachedAt",
  dropped_at as "droppedAt", restored_at as "restoredAt", retired_at as "retiredAt", keep_until as "keepUntil", message`

/** Whether the rows of an export were removed from PostgreSQL. */
export function isGone({ state }: Pick<ExportRecord, 'state'>): boolean {
  return state === 'dropped' || state === 'retiring' || state === 'retired'
}

/** Every export of a partition, ordered by generation. */
export async function readExports(session: Session, target: Target): Promise<ExportRecord[]> {
  const { rows } = await session.query<ExportRecord>(
    `select ${columns} from akashi_lifecycle.exports
     where (schema_name, table_name, lower_bound, upper_bound) = ($1, $2, $3, $4) order by generation`,
    [target.schema, target.table, target.from, target.to],
  )
  return rows
}

/** Exports of one table or of all, ordered by bounds. */
export async function listExports(
  session: Session,
  table: { readonly schema: string; readonly table: string } | null,
): Promise<ExportRecord[]> {
  const { rows } = await session.query<ExportRecord>(
    `select ${columns} from akashi_lifecycle.exports
     where $1::text is null or (schema_name, table_name) = ($1, $2)
     order by schema_name, table_name, lower_bound, generation`,
    [table?.schema ?? null, table?.table ?? null],
  )
  return rows
}

export async function insertExport(
  session: Session,
  target: Target,
  values: Pick<ExportRecord, 'generation' | 'folder' | 'manifest' | 'after'>,
): Promise<ExportRecord> {
  const { rows } = await session.query<ExportRecord>(
    `insert into akashi_lifecycle.exports (schema_name, table_name, partition_name, lower_bound, upper_bound, generation, folder, manifest, after_key)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     returning ${columns}`,
    [
      target.schema,
      target.table,
      target.partition,
      target.from,
      target.to,
      values.generation,
      values.folder,
      values.manifest,
      values.after,
    ],
  )
  const [record] = rows
  if (record === undefined) throw new Error('the export was not recorded')
  return record
}

/** Restarts an export that was not published: under another key, or after other rows. */
export async function restartExport(
  session: Session,
  { id, folder, manifest, after }: Pick<ExportRecord, 'id' | 'folder' | 'manifest' | 'after'>,
): Promise<void> {
  await session.query(
    "update akashi_lifecycle.exports set folder = $2, manifest = $3, after_key = $4 where id = $1 and state = 'exporting'",
    [id, folder, manifest, after],
  )
}

/** Records that a manifest was published. What it replaces is superseded from then on. */
export async function recordVerified(
  session: Session,
  id: string,
  manifest: Manifest,
  sha256: string,
): Promise<void> {
  await session.query(
    `update akashi_lifecycle.exports
     set state = 'verified', manifest_sha256 = $2, fingerprint = $3, row_count = $4, objects = $5, bytes = $6, upto_key = $7,
         first_position = $8, last_position = $9, message = null
     where id = $1 and state = 'exporting'`,
    [
      id,
      sha256,
      manifest.fingerprint,
      manifest.rows,
      manifest.parts.length,
      manifest.parts.reduce((sum, { bytes }) => sum + bytes, 0),
      manifest.upto,
      manifest.ledger?.firstPosition ?? null,
      manifest.ledger?.lastPosition ?? null,
    ],
  )
  if (manifest.replaces) await session.query('select akashi_lifecycle.supersede_exports($1)', [id])
}

/** Records why the last attempt on a partition failed. */
export async function recordFailure(session: Session, target: Target, message: string): Promise<void> {
  await session.query(
    `update akashi_lifecycle.exports set message = $5
     where (schema_name, table_name, lower_bound, upper_bound) = ($1, $2, $3, $4) and state in ('exporting', 'verified', 'detached', 'retiring')`,
    [target.schema, target.table, target.from, target.to, message],
  )
}
