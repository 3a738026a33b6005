// Terms: docs/glossary.md
export {
  type AuditCopy,
  listAuditCopies,
  pruneAuditCopies,
  readAuditCopy,
} from './audit-copy/copies.ts'
export { type CopiedLog, takeAuditCopy } from './audit-copy/take.ts'
export { createRestorePoint } from './base/restore-point.ts'
export { identify, runBackup } from './base/run.ts'
export { type BackupSource, type TakeOptions, takeBackup } from './base/take.ts'
export { type Catalog, chainOf, readCatalog } from './catalog/catalog.ts'
export { describeCatalog, planRestore, type RestorePlan, type Timetable } from './catalog/describe.ts'
export { type Latest, readLatest } from './catalog/latest.ts'
export { type Pruned, type PrunePlan, planPrune, pruneBackups, type Retention } from './catalog/prune.ts'
export { type BackupVerification, verifyBackups } from './catalog/verify.ts'
export {
  currentTimeline,
  type RestorableRange,
  restorableIntervals,
  restorableRanges,
} from './catalog/window.ts'
export { chooseMoment } from './drill/choose-moment.ts'
export { type Content, differences, readContent } from './drill/content.ts'
export { type DrillReport, runDrill } from './drill/run-drill.ts'
export { checkStructure, type StructureCheck } from './restore/check-structure.ts'
export { type Restored, restoreCluster } from './restore/run.ts'
export { sweepScratch } from './restore/scratch.ts'
export { shellQuote, WAL_FETCH_FAILED } from './restore/settings.ts'
export { parseTarget, type Target, targetText } from './restore/target.ts'
export { fetchWal } from './restore/wal-fetch.ts'
export { type BackupStore, chooseSystem, openBackupStore, storedSystems } from './store/backup-store.ts'
export { coldCopiesPrefix } from './store/paths.ts'
export { dropAbandonedLogins } from './table/owner-login.ts'
export { restoreTable, type TableRestored, type TableRestoreOptions } from './table/restore-table.ts'
export type { BackupKind, BackupManifest } from './types.ts'
export { protectCluster } from './wal/protect.ts'
export { dropSlot, readSlot, SLOT, type Slot } from './wal/slot.ts'
export { type StreamEvent, streamWal } from './wal/stream.ts'
