export * from './alarms/index.ts'
export { archiveTasks } from './archive-tasks.ts'
export { copyAuditLogs, openLogBackupStore, pruneAuditLogCopies } from './audit-copies.ts'
export { readBackupSettings } from './backup-settings.ts'
export { backupState } from './backup-state.ts'
export {
  type BackupParts,
  backupLoop,
  backupObstacle,
  backupTasks,
  openClusterBackupStore,
} from './backup-tasks.ts'
export { watchBackups } from './backup-watch.ts'
export { chatTasks, inspectionLoop } from './chat-tasks.ts'
export { crosscheckLoop } from './crosscheck-loop.ts'
export { deliveryLoop } from './delivery-loop.ts'
export { detectionLoop } from './detection-loop.ts'
export { type Disk, diskOf, usedPercent } from './disk.ts'
export {
  type Drill,
  type DrillParts,
  type DrillState,
  databaseOf,
  drill,
  drillState,
  listDrills,
  signerName,
} from './drills.ts'
export { identityTasks } from './identity-tasks.ts'
export {
  adoptKeyring,
  type KeyRotation,
  keyringState,
  type RotateOptions,
  rotateKey,
} from './key-rotation.ts'
export { describeLeaderLock, leaderLockHolders } from './leader-locks.ts'
export { ledgerTasks, verifyAndRecord } from './ledger-tasks.ts'
export { type Loop, type LoopContext, type LoopOptions, runLoop } from './loops.ts'
export * from './maintenance/index.ts'
export { openMetrics } from './metrics.ts'
export { type ReportParts, reportTasks } from './report-task.ts'
export {
  cancelRestore,
  listRestorePoints,
  listRestores,
  openRestoreRuns,
  type RestorePoint,
  type RestoreRequest,
  type RestoreRuns,
  readRestore,
  recordRestorePoint,
} from './restores.ts'
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
export { structureTasks } from './structure-task.ts'
export { systemStatus } from './system-status.ts'
export { lifecycleTasks } from './tasks.ts'
export { recordDamage, walWatchLoop, watchCrosscheckWal, watchKeptWal } from './wal-watch.ts'
