/** The encrypted index of a backup: which files it has and which frames hold them. */
import { z } from 'zod'

const file = z.strictObject({
  /** Relative to the data folder; below `pg_tblspc/<oid>/` for what is in a tablespace. */
  path: z.string(),
  kind: z.enum(['file', 'folder', 'link']),
  mode: z.int(),
  /** Bytes. */
  size: z.int(),
  /** Where its bytes begin in the stream of all frames. */
  offset: z.int(),
  target: z.string().optional(),
})

const pack = z.strictObject({
  name: z.string(),
  salt: z.string(),
  size: z.int(),
  sha256: z.string(),
  firstFrame: z.int(),
  offsets: z.array(z.int()),
})

/**
 * A relation's fork that was truncated since the backup before: nothing from block `limit` on may be taken
 * from older backups, whatever the incremental file leaves out.
 */
const limit = z.strictObject({
  /** Path of the fork's first segment, as `base/16384/24601` or `pg_tblspc/…`. */
  path: z.string(),
  block: z.int(),
})

export const backupIndex = z.strictObject({
  version: z.literal(1),
  /** Bytes of the stream. */
  length: z.int(),
  files: z.array(file),
  packs: z.array(pack),
  limits: z.array(limit),
  /** Paths of relations by schema and name at the time of the backup, so that one table can be fetched. */
  relations: z.array(
    z.strictObject({
      database: z.string(),
      schema: z.string(),
      name: z.string(),
      kind: z.string(),
      oid: z.int(),
      path: z.string(),
      toast: z.string().nullable(),
      toastIndex: z.string().nullable().optional(),
      /** `schema.name`, quoted, of the topmost table that it is a partition of; null when it is none. */
      root: z.string().nullable().optional(),
    }),
  ),
})

export type BackupIndex = z.infer<typeof backupIndex>
export type BackupFile = z.infer<typeof file>
export type LimitBlock = z.infer<typeof limit>

/** The manifest of PostgreSQL, kept as a file of the backup byte for byte. */
export const MANIFEST_FILE = 'backup_manifest'

export function encodeIndex(index: BackupIndex): Buffer {
  return Buffer.from(JSON.stringify(index))
}

export function decodeIndex(bytes: Buffer): BackupIndex {
  return backupIndex.parse(JSON.parse(bytes.toString()))
}
