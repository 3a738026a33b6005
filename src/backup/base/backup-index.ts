/** The encrypted index of a backup: its files and the frames that contain them. */
import { z } from 'zod'

const file = z.strictObject({
  /** Relative to the data folder; below `pg_tblspc/<oid>/` for files of a tablespace. */
  path: z.string(),
  kind: z.enum(['file', 'folder', 'link']),
  mode: z.int(),
  /** Bytes. */
  size: z.int(),
  /** Offset of its bytes in the stream of all frames. */
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
 * A relation fork that was truncated since the previous backup: blocks from `limit` on must not be taken from
 * older backups, even if the incremental file omits them.
 */
const limit = z.strictObject({
  /** Path of the fork's first segment: `base/16384/24601` or `pg_tblspc/…`. */
  path: z.string(),
  block: z.int(),
})

export const backupIndex = z.strictObject({
  version: z.literal(1),
  /** Length of the stream in bytes. */
  length: z.int(),
  files: z.array(file),
  packs: z.array(pack),
  limits: z.array(limit),
  /** Relations at the time of the backup with their paths, so that one table can be fetched. */
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
      /** `schema.name`, quoted, of the root table of a partition; null if not a partition. */
      root: z.string().nullable().optional(),
    }),
  ),
})

export type BackupIndex = z.infer<typeof backupIndex>
export type BackupFile = z.infer<typeof file>
export type LimitBlock = z.infer<typeof limit>

/** PostgreSQL's manifest, kept byte for byte as a file of the backup. */
export const MANIFEST_FILE = 'backup_manifest'

export function encodeIndex(index: BackupIndex): Buffer {
  return Buffer.from(JSON.stringify(index))
}

export function decodeIndex(bytes: Buffer): BackupIndex {
  return backupIndex.parse(JSON.parse(bytes.toString()))
}
