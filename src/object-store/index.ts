export { DESTINATIONS_FOLDER, withDestinations } from './destinations.ts'
export { openObjectStore, type StoreCredentials, sweepObjectStore } from './open.ts'
export {
  type Installation,
  type InstallationRecord,
  openOwnership,
  ownedStore,
  ownershipProblem,
  readOwner,
  type StoreOwner,
  type StoreOwnership,
  type TakeOver,
} from './ownership.ts'
export { probeObjectStore } from './probe.ts'
export { routedStore } from './routed.ts'
export { lateMonths, type MonthFolder, type S3Lifecycle, s3Lifecycle, s3PrefixOf } from './s3-lifecycle.ts'
export * from './types.ts'
