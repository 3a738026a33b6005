/** Long-term copies of the audit log, separate from the database: the rows sealed since the previous copy. */
import { randomBytes } from 'node:crypto'
import type { BackupStore } from '../store/backup-store.ts'
import type { DataKey } from '../store/data-keys.ts'
import { auditCopyKey, auditCopyManifest, auditCopyPart, type CopyTier } from '../store/paths.ts'
import { putSealed } from '../store/sealed-object.ts'
import { putWithRetries } from '../store/transfer.ts'
import { listAuditCopies } from './copies.ts'
import { type AuditCopyManifest, signCopy } from './manifest.ts'

/** Bytes of a part before compression. */
const PART_BYTES = 4 * 1024 * 1024
const ID_RANDOM_BYTES = 2

export const copyTiers: readonly CopyTier[] = ['cold', 'near']

/** The state of a ledger log when it is copied. */
export interface CopiedLog {
  readonly log: string
  readonly origin: string
  readonly size: bigint
  readonly checkpoint: string | null
  /** Rows of the entries from a position on. */
  rows(from: bigint): AsyncIterable<object>
}

/**
 * Copies all rows sealed since the newest copy to both tiers, the manifests last. Copies everything if there is
 * no copy yet, or if the log has a new epoch.
 */
export async function takeAuditCopy(
  backupStore: BackupStore,
  logs: readonly CopiedLog[],
  options: { readonly now?: Date; readonly signal?: AbortSignal } = {},
): Promise<AuditCopyManifest> {
  const { now = new Date(), signal } = options
  const newest = (await listAuditCopies(backupStore, signal)).findLast(({ manifest }) => manifest !== null)
  const key = await backupStore.keys.create(signal)
  const stamp = now.toISOString().replaceAll(/[-:.]/g, '')
  const id = `${stamp}-${randomBytes(ID_RANDOM_BYTES).toString('hex')}`
  await backupStore.keys.keepBeside(key, auditCopyKey(backupStore.systemId, id), signal)
  const parts = new Parts(backupStore, key, id, signal)
  const copied: AuditCopyManifest['logs'] = []
  for (const { log, origin, size, checkpoint, rows: read } of logs) {
    const before = newest?.manifest?.logs.find((one) => one.log === log && one.origin === origin)
    const from = before === undefined || BigInt(before.to) > size ? 0n : BigInt(before.to)
    let rows = 0
    for await (const row of read(from)) {
      await parts.write(JSON.stringify({ log, ...row }))
      rows += 1
    }
    copied.push({ log, origin, from: from.toString(), to: size.toString(), rows, checkpoint })
  }
  await parts.end()
  const manifest = signCopy(key, {
    version: 1,
    id,
    systemId: backupStore.systemId,
    takenAt: now.toISOString(),
    key: key.id,
    logs: copied,
    parts: parts.count,
    bytes: parts.bytes,
  })
  const text = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)
  for (const tier of copyTiers) {
    await putWithRetries(backupStore.store, auditCopyManifest(tier, backupStore.systemId, id), text, signal)
  }
  return manifest
}

class Parts {
  readonly #backupStore: BackupStore
  readonly #key: DataKey
  readonly #id: string
  readonly #signal: AbortSignal | undefined
  #lines: Buffer[] = []
  #filled = 0
  count = 0
  bytes = 0

  constructor(backupStore: BackupStore, key: DataKey, id: string, signal: AbortSignal | undefined) {
    this.#backupStore = backupStore
    this.#key = key
    this.#id = id
    this.#signal = signal
  }

  async write(line: string): Promise<void> {
    const bytes = Buffer.from(`${line}\n`)
    this.#lines.push(bytes)
    this.#filled += bytes.length
    if (this.#filled >= PART_BYTES) await this.end()
  }

  async end(): Promise<void> {
    if (this.#filled === 0) return
    const data = Buffer.concat(this.#lines, this.#filled)
    this.#lines = []
    this.#filled = 0
    this.count += 1
    this.bytes += data.length
    for (const tier of copyTiers) {
      const name = auditCopyPart(tier, this.#backupStore.systemId, this.#id, this.count)
      await putSealed(this.#backupStore.store, this.#key, { kind: 'audit', name, data }, this.#signal)
    }
  }
}
