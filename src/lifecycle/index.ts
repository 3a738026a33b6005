// Terms: docs/glossary.md
export { archivedRows } from './archive/archived-rows.ts'
export { type ArchiveRow, type PlanOptions, planArchive } from './archive/plan.ts'
export type { ExportRecord } from './archive/records.ts'
export { requireIntact, reviewArchive } from './archive/review.ts'
export { type ArchiveOptions, type RetireOptions, retireExpired, runArchive } from './archive/run.ts'
export {
  type ArchiveCheck,
  type ArchiveFilter,
  archiveStatus,
  type CopyCheck,
  copyStatus,
  verifyArchive,
  verifyCopies,
} from './archive/status.ts'
export {
  type Restored,
  type RestoreOptions,
  type RestoreStep,
  restorePartition,
} from './archive/steps/restore.ts'
export type { RetireStep } from './archive/steps/retire.ts'
export { type FrozenObject, type ThawOptions, thawArchive } from './archive/thaw.ts'
export { type CopyPolicyChange, listCopyPolicies, setCopyPolicy } from './copy-policies.ts'
export {
  type Assumptions,
  assumptionsSchema,
  chartSvg,
  dollars,
  type Forecast,
  forecast,
  type Prices,
  parseTiers,
  presets as costPresets,
  pricesSchema,
  tokyo,
} from './cost/index.ts'
export { athenaDdl, glueTable, type OuterTable, type OuterTableOptions, outerTable } from './ddl/index.ts'
export { type Hold, holdTable, listHolds } from './hold.ts'
export { type Lineage, lineageOf } from './lineage/index.ts'
export { partitionStates } from './partition-states.ts'
export {
  applyPartitions,
  DAILY_HEADROOM_DAYS,
  MONTHLY_HEADROOM_MONTHS,
  type PartitionRow,
  type PartitionStatus,
  partitionStatus,
  planPartitions,
} from './partitions.ts'
export { listPolicies, type PolicyChanges, setPolicy } from './policies.ts'
export * from './query/index.ts'
export { type DatabaseSetting, listSettings, readDataResidency, setSetting } from './settings.ts'
export { describeShortening, pendingShortenings, type Shortening } from './shortenings.ts'
export { tenantUsage } from './usage.ts'
