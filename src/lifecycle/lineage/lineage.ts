/** Where a row is and has been stored: the view, plus the object from the manifest. */
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { readManifest } from '../archive/manifest.ts'

export interface Lineage {
  readonly schema: string
  readonly table: string
  readonly rowId: string
  readonly createdAt: string
  readonly log: string
  readonly position: string
  readonly livesIn:
    | 'database'
    | 'database and store'
    | 'archive schema and store'
    | 'store'
    | 'store, being retired'
    | 'nowhere: retired'
  readonly partition: string
  readonly generation: number | null
  readonly manifest: string | null
  readonly manifestSha256: string | null
  /** Key and SHA-256 of the object with the row; null while it is only in the database. */
  readonly object: { readonly key: string; readonly sha256: string } | null
  readonly exportedAt: string | null
  readonly detachedAt: string | null
  readonly droppedAt: string | null
  /** The signed record by which retention removed the row. */
  readonly retentionRecord: string | null
  readonly retiredAt: string | null
  readonly restores: readonly {
    readonly restored_at: string
    readonly keep_until: string
    readonly by: string
  }[]
  /** The first published checkpoint that covers the row. */
  readonly checkpoint: { readonly size: string; readonly epoch: number; readonly publishedAt: string } | null
}

type Found = Omit<Lineage, 'object' | 'checkpoint'> & {
  readonly size: string | null
  readonly epoch: number | null
  readonly publishedAt: string | null
}

const lineageSql = `
  select schema_name as schema, table_name as "table", row_id as "rowId", created_at as "createdAt", log,
         position::text as position, lives_in as "livesIn", partition_name as partition, generation, manifest,
         manifest_sha256 as "manifestSha256", exported_at as "exportedAt", detached_at as "detachedAt",
         dropped_at as "droppedAt", retention_record_id as "retentionRecord", retired_at as "retiredAt", coalesce(restores, '[]') as restores, checkpoint_size::text as size,
         checkpoint_epoch as epoch, checkpoint_published_at as "publishedAt"
  from akashi_lifecycle.data_lineage where row_id = $1`

/** @throws not_found when there is no such row, or it is not sealed yet */
export async function lineageOf(
  database: Database,
  store: ObjectStore,
  actor: Actor,
  rowId: string,
): Promise<Lineage> {
  const found = await database.transaction(
    actor,
    async (session) => (await session.query<Found>(lineageSql, [rowId])).rows[0],
    { readOnly: true },
  )
  if (found === undefined) {
    throw new AkashiError('not_found', `sealed row not found: ${rowId}`, {
      hint: 'a new row is sealed within a second',
    })
  }
  const { size, epoch, publishedAt, ...rest } = found
  const stored =
    found.manifest === null ? undefined : await readManifest(store, found.manifest, found.manifestSha256)
  const position = BigInt(found.position)
  const part = stored?.manifest.parts.find(
    ({ firstPosition, lastPosition }) =>
      firstPosition !== null &&
      lastPosition !== null &&
      BigInt(firstPosition) <= position &&
      position <= BigInt(lastPosition),
  )
  return {
    ...rest,
    object: part === undefined ? null : { key: part.key, sha256: part.sha256 },
    checkpoint: size === null || epoch === null || publishedAt === null ? null : { size, epoch, publishedAt },
  }
}
