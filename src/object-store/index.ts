export { openObjectStore, type StoreCredentials, sweepObjectStore } from './open.ts'
export {
  type Installation,
  type InstallationRecord,
  openOwnership,
  ownedStore,
  readOwner,
  type StoreOwner,
  type StoreOwnership,
} from './ownership.ts'
export { probeObjectStore } from './probe.ts'
export { lateMonths, type MonthFolder, type S3Lifecycle, s3Lifecycle, s3PrefixOf } from './s3-lifecycle.ts'
export * from './types.ts'
