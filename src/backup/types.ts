/**
 * Terms of this context.
 *
 * full: a copy of every file of the cluster. incremental: only the blocks changed since the previous backup, its
 * parent. chain: an incremental, its parent, and so on to the full backup.
 * base: a full or incremental backup, as opposed to WAL. pack, frame: see store/sealing.ts.
 * coverage: contiguous WAL. restorable range: the moments that a base and the contiguous WAL after it can
 * restore.
 */
import { z } from 'zod'

const lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/)
const time = z.iso.datetime()

/** `manifest.json` of a backup: the part that is readable without a key. Times in UTC, positions as `0/16B3748`. */
export const manifestSchema = z.strictObject({
  version: z.literal(1),
  /** Sorts by time: `20261121T052000Z-full-3fa9`. */
  id: z.string().regex(/^[0-9TZ]+-(full|incremental)-[0-9a-f]{4}$/),
  kind: z.enum(['full', 'incremental']),
  parent: z.string().nullable(),
  systemId: z.string().regex(/^\d+$/),
  postgresVersion: z.string(),
  /** The database that it was taken through; a cluster has others too. */
  database: z.string().optional(),
  /** Pages whose checksum the server found wrong, such as `base/5/16384 block 3`; absent if there are none. */
  damaged: z.array(z.string()).optional(),
  timeline: z.int().positive(),
  /** WAL is needed from here … */
  startLsn: lsn,
  /** … at least to here: the copy is inconsistent before. */
  endLsn: lsn,
  startedAt: time,
  /** By the server's clock, after `endLsn`: the earliest moment restorable from this backup. */
  stoppedAt: time,
  /** Every transaction below it had started when the backup ended. */
  nextXid: z.string().regex(/^\d+$/),
  walSegmentBytes: z.int().positive(),
  dataChecksums: z.boolean(),
  tablespaces: z.array(z.strictObject({ oid: z.string(), location: z.string() })),
  files: z.int(),
  /** Bytes of the files, and of the objects that contain them. */
  bytes: z.int(),
  stored: z.int(),
  /** Id of the data key. */
  key: z.uuid(),
  /** Every object of the backup except this one. */
  objects: z.array(z.strictObject({ name: z.string(), size: z.int(), sha256: z.string() })),
  /** HMAC-SHA-256 over everything else, by the data key. */
  mac: z.string(),
})

export type BackupManifest = z.infer<typeof manifestSchema>
export type BackupKind = BackupManifest['kind']
