/** The weekly long-term copy of the ledger's logs. Works without physical backups, so also on managed PostgreSQL. */

import { logs, readHeads, sealedRows } from '../audit/index.ts'
import {
  type BackupStore,
  type CopiedLog,
  openBackupStore,
  pruneAuditCopies,
  takeAuditCopy,
} from '../backup/index.ts'
import { given } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { readBackupSettings } from './backup-settings.ts'

export interface AuditCopyParts {
  readonly keyring: Keyring
  readonly store: ObjectStore
  /** Of the role `worker`. */
  readonly worker: Database
  readonly actor: Actor
}

/** The backup store of a database's cluster, opened without a replication connection. */
export async function openLogBackupStore({
  keyring,
  store,
  worker,
  actor,
}: AuditCopyParts): Promise<BackupStore> {
  const { recipients } = await readBackupSettings(worker, actor)
  const { rows } = await worker.transaction(actor, (session) =>
    session.query<{ cluster: string }>(
      'select system_identifier::text as cluster from akashi_audit.system_identity()',
    ),
  )
  return await openBackupStore({ keyring, store, recipients }, rows[0]?.cluster ?? '')
}

/** Copies the rows sealed since the last copy. */
export async function copyAuditLogs(parts: AuditCopyParts, signal?: AbortSignal) {
  const { worker, actor } = parts
  const heads = await worker.transaction(actor, readHeads, { readOnly: true })
  const copied = logs.flatMap((definition): CopiedLog[] => {
    const head = heads.find(({ log }) => log === definition.log)
    if (head === undefined) return []
    const { log, origin, size, note } = head
    return [
      {
        log,
        origin,
        size,
        checkpoint: note,
        rows: (from) => sealedRows(worker, actor, definition, { from, to: size }, signal),
      },
    ]
  })
  return await takeAuditCopy(await openLogBackupStore(parts), copied, given({ signal }))
}

/** Deletes copies past the retention of the settings. */
export async function pruneAuditLogCopies(
  parts: AuditCopyParts,
  options: { readonly dryRun?: boolean; readonly signal?: AbortSignal } = {},
): Promise<string[]> {
  const { auditNearDays, auditColdDays, hold } = await readBackupSettings(parts.worker, parts.actor)
  const backupStore = await openLogBackupStore(parts)
  return await pruneAuditCopies(backupStore, {
    nearDays: auditNearDays,
    coldDays: auditColdDays,
    hold,
    ...options,
  })
}
