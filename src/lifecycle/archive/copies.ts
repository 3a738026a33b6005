/** Rows of akashi_lifecycle.copies, and what is planned of them. */
import type { Session } from '../../postgres/index.ts'
import type { StoredManifest } from './manifest.ts'
import type { Target } from './source.ts'

/** A pending copy, or one past its retention. */
export interface PlannedCopy extends Target {
  readonly step: 'copy' | 'delete' | 'held'
  /** Null before it was begun. */
  readonly copy: string | null
  readonly policy: string
  readonly export: string
  /** Key and SHA-256 of the manifest of the export. */
  readonly exportManifest: string
  readonly exportSha256: string | null
  /** Null for rows of all. */
  readonly tenant: string | null
  readonly class: string | null
  readonly destination: string
  readonly rows: number
  /** Key of the manifest of a copy that was begun. */
  readonly manifest: string | null
  readonly keepUntil: string
}

const planSql = `
  select p.schema_name as schema, p.table_name as "table", p.partition_name as partition, p.lower_bound as "from", p.upper_bound as "to",
         p.step, p.copy, p.policy, p.export, e.manifest as "exportManifest", e.manifest_sha256 as "exportSha256", p.tenant, p.class,
         p.destination, p.row_count::float8 as rows, c.manifest, p.keep_until as "keepUntil"
  from akashi_lifecycle.copy_plan(coalesce($1, now()), $2, $3) p
  join akashi_lifecycle.exports e on e.id = p.export
  left join akashi_lifecycle.copies c on c.id = p.copy`

/** Every copy that is to be made or deleted, in the order of tables and bounds. */
export async function readPlannedCopies(
  session: Session,
  {
    asOf,
    table,
  }: { readonly asOf?: Date; readonly table?: { readonly schema: string; readonly table: string } },
): Promise<PlannedCopy[]> {
  const { rows } = await session.query<PlannedCopy>(planSql, [
    asOf?.toISOString() ?? null,
    table?.schema ?? null,
    table?.table ?? null,
  ])
  return rows
}

/** Begins a copy or continues it; null if it is no longer needed. */
export async function beginCopy(
  session: Session,
  {
    policy,
    export: of,
    manifest,
  }: { readonly policy: string; readonly export: string; readonly manifest: string },
): Promise<string | null> {
  const { rows } = await session.query<{ id: string | null }>(
    'select akashi_lifecycle.begin_copy($1, $2, $3) as id',
    [policy, of, manifest],
  )
  return rows[0]?.id ?? null
}

/** Records that a copy was compared; null for one without rows. */
export async function recordCopied(
  session: Session,
  id: string,
  stored: StoredManifest | null,
): Promise<void> {
  const parts = stored?.manifest.parts ?? []
  await session.query(
    `update akashi_lifecycle.copies set state = 'verified', manifest_sha256 = $2, row_count = $3, objects = $4, bytes = $5
     where id = $1 and state = 'copying'`,
    [
      id,
      stored?.sha256 ?? null,
      stored?.manifest.rows ?? 0,
      parts.length,
      parts.reduce((sum, { bytes }) => sum + bytes, 0),
    ],
  )
}

/** Records why copies were not made. */
export async function recordCopyFailure(
  session: Session,
  ids: readonly string[],
  message: string,
): Promise<void> {
  await session.query(
    "update akashi_lifecycle.copies set message = $2 where id = any ($1::uuid[]) and state in ('copying', 'deleting', 'verified')",
    [ids, message],
  )
}

/** A copy as it is listed. */
export interface CopyRecord {
  /** `schema.table` */
  readonly table: string
  readonly partition: string
  readonly generation: number
  readonly tenant: string | null
  readonly class: string | null
  readonly destination: string
  readonly state: 'copying' | 'verified' | 'deleting' | 'deleted'
  readonly manifest: string
  readonly manifestSha256: string | null
  readonly rows: number | null
  readonly bytes: number | null
  readonly keepUntil: string
  readonly verifiedAt: string | null
  readonly message: string | null
}

/** Every copy of one table or of all, ordered by table, bounds and destination. */
export async function listCopies(
  session: Session,
  table: { readonly schema: string; readonly table: string } | null,
): Promise<CopyRecord[]> {
  const { rows } = await session.query<CopyRecord>(
    `select e.schema_name || '.' || e.table_name as "table", e.partition_name as partition, e.generation, p.tenant, p.class,
            p.destination, c.state, c.manifest, c.manifest_sha256 as "manifestSha256", c.row_count::float8 as rows,
            c.bytes::float8 as bytes, c.keep_until as "keepUntil", c.verified_at as "verifiedAt", c.message
     from akashi_lifecycle.copies c
     join akashi_lifecycle.copy_policies p on p.id = c.policy
     join akashi_lifecycle.exports e on e.id = c.export
     where $1::text is null or (e.schema_name, e.table_name) = ($1, $2)
     order by e.schema_name, e.table_name, e.lower_bound, e.generation, p.destination, p.tenant nulls first, p.class nulls first`,
    [table?.schema ?? null, table?.table ?? null],
  )
  return rows
}
