// Terms: docs/glossary.md

export type { Json, TrailRow, Values } from '@akashi/client/trail'
export * from './crosscheck/index.ts'
export { type Alarm, setAlarms, standingAlarms } from './ledger/alarms.ts'
export type { ArchivedEntry, ArchivedObject, ArchivedRows } from './ledger/archived.ts'
export { checkProof, checkProofByPolicy, type Proven, type ProvenByPolicy } from './ledger/check-proof.ts'
export {
  duckdbEntrySql,
  encodeRow,
  entryHash,
  OPTIMIZER_FENCE,
  postgresEntrySql,
  type RowText,
} from './ledger/encoding.ts'
export {
  countEntries,
  type EntryCount,
  type EntryRange,
  entriesCopySql,
  hasMoreEntries,
  positionAfter,
} from './ledger/entry-range.ts'
export type { Epoch, EpochCause } from './ledger/epoch/link.ts'
export { openEpoch, openEpochsWhereNeeded, rotateCheckpointKey } from './ledger/epoch/open.ts'
export { auditLogs, type LogDefinition, logNamed, logs, securityEvents } from './ledger/logs.ts'
export { type CatalogObject, readCatalog } from './ledger/manifest/catalog.ts'
export { catalogProblems, type Difference } from './ledger/manifest/index.ts'
export { manifestText } from './ledger/manifest/manifest.ts'
export { recordCatalog } from './ledger/manifest/records.ts'
export { emptyRoot } from './ledger/merkle.ts'
export { lookForRowsSince } from './ledger/next-rows.ts'
export { countPending } from './ledger/pending.ts'
export * from './ledger/policy/index.ts'
export { type ConsistencyProof, proveConsistency, proveOwnRow, proveRow } from './ledger/proof.ts'
export type { ProofBundle } from './ledger/proof-bundle.ts'
export { type ProvenRows, proveRows, type RowsQuery } from './ledger/prove-rows.ts'
export { type Published, publishCheckpoints } from './ledger/publish.ts'
export { type ListedCheckpoint, publishedNotes } from './ledger/published.ts'
export {
  type LedgerPage,
  type LedgerRecordsQuery,
  listChain,
  listCosignatures,
  listEpochs,
  listRetentionRecords,
} from './ledger/records.ts'
export { type RetentionRecord, type Retirement, recordRetention } from './ledger/retention.ts'
export { type SealedRow, sealedRows } from './ledger/sealed-rows.ts'
export { LogSealer, SEALED_CHANNEL, type Sealed, type SealedBatch, seal } from './ledger/sealer.ts'
export { watchSealing } from './ledger/stalled.ts'
export { type StaticResource, staticResource } from './ledger/static-paths.ts'
export { type Head, readHead, readHeads, readLogHeads, readOrigins } from './ledger/store.ts'
export { type Thinned, thinCheckpoints } from './ledger/thin.ts'
export { type LogKey, verifierKeys, verifiesAny } from './ledger/verifier-keys.ts'
export { verify } from './ledger/verify/index.ts'
export { oldestUncheckedSeconds } from './ledger/verify/marks.ts'
export type { VerifyOptions } from './ledger/verify/options.ts'
export type {
  LogReport,
  Problem,
  ProblemKind,
  UnreadObject,
  VerifyMode,
  VerifyReport,
} from './ledger/verify/problems.ts'
export { type LastVerification, lastVerification, recordVerification } from './ledger/verify/record.ts'
export { listVerifications } from './ledger/verify/runs.ts'
export { scrub } from './ledger/verify/scrub.ts'
export {
  type Alarms,
  describeHolder,
  FRONTIER_HELD_ALARM_S,
  type FrontierHolder,
  frontierHolders,
  watchLedger,
} from './ledger/watch.ts'
export * from './ledger/witness/index.ts'
export { type RecordAsOf, recordAsOf } from './trail/as-of.ts'
export { indexClosedPartition } from './trail/closed-partitions.ts'
export { countTrail } from './trail/counts.ts'
export type { RecordAsOfQuery, RecordQuery, TrailCountQuery, TrailFilter } from './trail/filter.ts'
export { type FieldChange, type HistoryPage, type RecordVersion, recordHistory } from './trail/history.ts'
export { type Loss, reportLosses, settleLosses, unsettledLosses } from './trail/losses.ts'
export {
  type ActingFor,
  type ColumnTreatment,
  type Coverage,
  coverage,
  exempt,
  type Protection,
  protect,
  protectedTables,
  recordBaseline,
  unprotect,
} from './trail/protect.ts'
export {
  searchOwnTrail,
  searchTrail,
  searchTrailAboutOneself,
  TEXT_SCAN_ROWS,
  type TrailPage,
} from './trail/search.ts'
