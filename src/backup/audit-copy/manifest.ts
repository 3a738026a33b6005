/** The manifest of a copy of the logs, `manifest.json`: put last, authenticated by the data key of the copy. */
import { timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { canonical } from '../base/manifest.ts'
import type { BackupStore } from '../store/backup-store.ts'
import type { DataKey } from '../store/data-keys.ts'
import { auditCopyKey, auditCopyManifest, type CopyTier } from '../store/paths.ts'
import { authenticate, damagedObject } from '../store/sealing.ts'
import { readObject } from '../store/transfer.ts'

const decimal = z.string().regex(/^\d+$/)

const schema = z.strictObject({
  version: z.literal(1),
  /** Sorts by time: `20261122T060000000Z-3fa9`. */
  id: z.string().regex(/^\d{8}T\d{9}Z-[0-9a-f]{4}$/),
  systemId: decimal,
  takenAt: z.iso.datetime(),
  /** Id of the data key. */
  key: z.uuid(),
  logs: z.array(
    z.strictObject({
      log: z.string(),
      /** Origin of the ledger's epoch. */
      origin: z.string(),
      /** Positions of the entries: `from` inclusive, `to` exclusive. */
      from: decimal,
      to: decimal,
      /** Fewer than the entries if partitions have left the database. */
      rows: z.int(),
      /** The signed checkpoint of size `to`; null for a log without entries. */
      checkpoint: z.string().nullable(),
    }),
  ),
  /** Lines of JSON, `{"log", "position", "hash", "row"}`; the same in both tiers, sealed separately. */
  parts: z.int(),
  bytes: z.int(),
  /** HMAC-SHA-256 over everything else, by the data key. */
  mac: z.string(),
})

export type AuditCopyManifest = z.infer<typeof schema>

export function signCopy(key: DataKey, manifest: Omit<AuditCopyManifest, 'mac'>): AuditCopyManifest {
  return { ...manifest, mac: authenticate(key.secret, canonical(manifest)) }
}

/** @throws integrity if it was changed, not_found, forbidden */
export async function readCopyManifest(
  backupStore: BackupStore,
  tier: CopyTier,
  id: string,
  signal?: AbortSignal,
): Promise<AuditCopyManifest> {
  const name = auditCopyManifest(tier, backupStore.systemId, id)
  const bytes = await readObject(backupStore.store, name, signal)
  const parsed = schema.safeParse(jsonOf(bytes))
  if (!parsed.success || parsed.data.id !== id || parsed.data.systemId !== backupStore.systemId) {
    throw damagedObject(name, 'not a manifest of this copy')
  }
  const { mac, ...rest } = parsed.data
  const beside = auditCopyKey(backupStore.systemId, id)
  const key = await backupStore.keys.open(rest.key, name, signal, beside)
  const expected = Buffer.from(authenticate(key.secret, canonical(rest)))
  const found = Buffer.from(mac)
  if (expected.length !== found.length || !timingSafeEqual(expected, found)) {
    throw damagedObject(name, 'it was changed')
  }
  return parsed.data
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}
