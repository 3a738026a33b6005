export { archiveTasks } from './archive-tasks.ts'
export { copyAuditLogs, openLogBackupStore, pruneAuditLogCopies } from './audit-copies.ts'
export { readBackupSettings } from './backup-settings.ts'
export {
  type BackupParts,
  backupLoop,
  backupObstacle,
  backupTasks,
  openClusterBackupStore,
} from './backup-tasks.ts'
export { chatTasks, inspectionLoop } from './chat-tasks.ts'
export {
  type Drill,
  type DrillParts,
  type DrillState,
  databaseOf,
  drill,
  drillState,
  listDrills,
  signerName,
  watchDrills,
} from './drills.ts'
export { identityTasks } from './identity-tasks.ts'
export { adoptKeyring, type KeyRotation, rotatablePurposes, rotateKey } from './key-rotation.ts'
export { describeLeaderLock, leaderLockHolders } from './leader-locks.ts'
export { ledgerTasks, verifyAndRecord } from './ledger-tasks.ts'
export { type Loop, type LoopContext, type LoopOptions, runLoop } from './loops.ts'
export { openMetrics } from './metrics.ts'
export * from './schedule/index.ts'
export { sealLoop } from './seal-loop.ts'
export {
  isNotOwner,
  isReadOnly,
  openStoreOwnership,
  READ_ONLY_NOTICE,
  readInstallation,
  whenOwned,
} from './store-ownership.ts'
export { systemStatus } from './system-status.ts'
export { lifecycleTasks } from './tasks.ts'
export { reasonToGiveUp, recordDamage, walWatchLoop, watchKeptWal } from './wal-watch.ts'
