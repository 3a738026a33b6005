export { type Accounts, withAccounts } from './accounts.ts'
export { type ApplicationAccess, createApplication } from './application.ts'
export { type RunningBackups, takeAuditLogCopy, withRunningBackups, withStoredBackups } from './backups.ts'
export { type Connections, findAddresses, findConnections } from './connections.ts'
export { type Description, databaseUrl, describe } from './describe.ts'
export { examine } from './doctor/index.ts'
export {
  type InitPlan,
  type InitResult,
  initialise,
  ownServer,
  planInit,
  planRemove,
  remove,
  urlOf,
} from './init.ts'
export { migrateDatabase, migrationsDirectory } from './migrate.ts'
export {
  archiveDestinations,
  keysUrl,
  objectStoreUrl,
  openColdObjects,
  openDestination,
  openKeys,
  openObjects,
  openOwnedObjects,
} from './places.ts'
export { prepareCluster } from './prepare-cluster.ts'
export { programCommand, type RestoreReport, restore } from './restore.ts'
export { restoreTable, scratchPlace } from './restore-table.ts'
export { type RunRecord, readRunRecord } from './run-record.ts'
export { serve, work } from './serve.ts'
export type { Settings } from './settings.ts'
export { readOnlyNotice } from './store-notice.ts'
export { supportBundle } from './support-bundle/index.ts'
export { up } from './up.ts'
export { oldClusters, type UpgradeReport, upgrade } from './upgrade.ts'
