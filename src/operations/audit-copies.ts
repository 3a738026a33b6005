/** The weekly long-term copy of the ledger's logs. It needs no physical backup, so it runs on managed PostgreSQL too. */
import { logs, readHeads, sealedRows } from '../audit/index.ts'
import { type CopiedLog, openVault, pruneAuditCopies, takeAuditCopy, type Vault } from '../backup/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { ObjectStore } from '../object-store/index.ts'
import { anonymous, type Database } from '../postgres/index.ts'
import { readBackupSettings } from './backup-settings.ts'

export interface AuditCopyParts {
  readonly keyring: Keyring
  readonly store: ObjectStore
  /** Of the role `worker`. */
  readonly database: Database
}

/** The vault of the cluster that a database is of, without a replication connection. */
export async function openLogVault({ keyring, store, database }: AuditCopyParts): Promise<Vault> {
  const { recipients } = await readBackupSettings(database)
  const { rows } = await database.transaction(anonymous, (session) =>
    session.query<{ cluster: string }>(
      'select system_identifier::text as cluster from audit.system_identity()',
    ),
  )
  return await openVault({ keyring, store, recipients }, rows[0]?.cluster ?? '')
}

/** Copies what was sealed since the last copy. */
export async function copyAuditLogs(parts: AuditCopyParts, signal?: AbortSignal) {
  const { database } = parts
  const heads = await database.transaction(anonymous, readHeads, { readOnly: true })
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
        rows: (from) => sealedRows(database, definition, { from, to: size }, signal),
      },
    ]
  })
  return await takeAuditCopy(await openLogVault(parts), copied, signal === undefined ? {} : { signal })
}

/** Removes copies that are older than the settings say. */
export async function pruneAuditLogCopies(
  parts: AuditCopyParts,
  options: { readonly dryRun?: boolean; readonly signal?: AbortSignal } = {},
): Promise<string[]> {
  const { auditNearDays, auditColdDays, hold } = await readBackupSettings(parts.database)
  const vault = await openLogVault(parts)
  return await pruneAuditCopies(vault, {
    nearDays: auditNearDays,
    coldDays: auditColdDays,
    hold,
    ...options,
  })
}
