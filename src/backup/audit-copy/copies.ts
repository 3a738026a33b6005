/** Lists the copies of the logs in the store. */
import { AkashiError, given } from '../../foundation/index.ts'
import type { BackupStore } from '../store/backup-store.ts'
import {
  auditCopyManifest,
  auditCopyPart,
  auditCopyPrefix,
  type CopyTier,
  dataKeyName,
} from '../store/paths.ts'
import { readSealed } from '../store/sealed-object.ts'
import { damagedObject } from '../store/sealing.ts'
import { type AuditCopyManifest, readCopyManifest } from './manifest.ts'

const DAY_MS = 86_400_000
/** Longer than a copy takes: without a manifest it counts as abandoned after this. */
const INCOMPLETE_DAYS = 2
/** Problem of a copy without a manifest. */
export const NEVER_COMPLETED = 'it was never completed'
const TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-/

export interface AuditCopy {
  readonly id: string
  readonly tiers: readonly CopyTier[]
  /** null if incomplete or damaged. */
  readonly manifest: AuditCopyManifest | null
  readonly problem: string | null
}

/** Oldest first. */
export async function listAuditCopies(backupStore: BackupStore, signal?: AbortSignal): Promise<AuditCopy[]> {
  const found = new Map<string, CopyTier[]>()
  for (const tier of ['near', 'cold'] as const) {
    const prefix = auditCopyPrefix(tier, backupStore.systemId)
    for await (const folder of backupStore.store.listFolders(prefix, given({ signal }))) {
      const id = folder.slice(prefix.length, -1)
      found.set(id, [...(found.get(id) ?? []), tier])
    }
  }
  const copies: AuditCopy[] = []
  for (const [id, tiers] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [tier = 'cold'] = tiers
    try {
      copies.push({
        id,
        tiers,
        manifest: await readCopyManifest(backupStore, tier, id, signal),
        problem: null,
      })
    } catch (error) {
      if (!(error instanceof AkashiError) || !['integrity', 'not_found', 'forbidden'].includes(error.code))
        throw error
      copies.push({
        id,
        tiers,
        manifest: null,
        problem: error.code === 'not_found' ? NEVER_COMPLETED : error.message,
      })
    }
  }
  return copies
}

/** The lines of a copy, from the cold tier if the near one no longer has it. @throws unavailable while frozen */
export async function* readAuditCopy(
  backupStore: BackupStore,
  copy: Pick<AuditCopy, 'id' | 'tiers' | 'manifest'>,
  options: { readonly tier?: CopyTier; readonly signal?: AbortSignal } = {},
): AsyncGenerator<Buffer> {
  const { tier = copy.tiers.includes('near') ? 'near' : 'cold', signal } = options
  for (let number = 1; number <= (copy.manifest?.parts ?? 0); number += 1) {
    const name = auditCopyPart(tier, backupStore.systemId, copy.id, number)
    yield await readSealed(backupStore.store, backupStore.keys, { kind: 'audit', name }, signal).catch(
      (error: unknown) => {
        if (!(error instanceof AkashiError) || error.code !== 'not_found') throw error
        throw damagedObject(name, 'it is missing', error)
      },
    )
  }
}

/**
 * Removes copies older than the retention of their tier; nothing under a legal hold.
 * @returns names of the removed objects
 */
export async function pruneAuditCopies(
  backupStore: BackupStore,
  options: {
    readonly nearDays: number
    readonly coldDays: number
    readonly hold: boolean
    readonly now?: Date
    readonly dryRun?: boolean
    readonly signal?: AbortSignal
  },
): Promise<string[]> {
  const { nearDays, coldDays, hold, now = new Date(), dryRun = false, signal } = options
  const removed: string[] = []
  if (hold) return removed
  const days = { near: nearDays, cold: coldDays }
  for (const { id, tiers, manifest, problem } of await listAuditCopies(backupStore, signal)) {
    const age = (now.getTime() - timeOf(id)) / DAY_MS
    // Verification reports damaged manifests; their copies are removed by age.
    const abandoned = manifest === null && problem === NEVER_COMPLETED && age > INCOMPLETE_DAYS
    const expired = tiers.filter((tier) => abandoned || age > days[tier])
    for (const tier of expired) {
      const prefix = `${auditCopyPrefix(tier, backupStore.systemId)}${id}/`
      const names: string[] = [auditCopyManifest(tier, backupStore.systemId, id)]
      for await (const { key } of backupStore.store.list(prefix)) if (!names.includes(key)) names.push(key)
      for (const name of names) {
        signal?.throwIfAborted()
        if (!dryRun) await backupStore.store.delete(name)
        removed.push(name)
      }
    }
    if (expired.length === tiers.length && manifest !== null) {
      const name = dataKeyName(backupStore.systemId, manifest.key)
      if (!dryRun) await backupStore.store.delete(name)
      removed.push(name)
    }
  }
  return removed
}

function timeOf(id: string): number {
  const [, year, month, day, hour, minute, second, ms] = (TIME.exec(id) ?? []).map(Number)
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day ?? 1, hour ?? 0, minute ?? 0, second ?? 0, ms ?? 0)
}
