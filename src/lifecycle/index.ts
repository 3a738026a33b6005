export {
  applyPartitions,
  DAILY_HEADROOM_DAYS,
  MONTHLY_HEADROOM_MONTHS,
  type PartitionRow,
  type PartitionStatus,
  partitionStatus,
  planPartitions,
} from './partitions.ts'
export { type ArchiveOptions, type ArchiveRow, planArchive, runArchive } from './archive/run.ts'
