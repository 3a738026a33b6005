export { duckdbEntrySql, encodeRow, entryHash, postgresEntrySql, type RowText } from './ledger/encoding.ts'
export { auditLogs, type LogDefinition, logs, securityEvents } from './ledger/logs.ts'
export { emptyRoot } from './ledger/merkle.ts'
export { countPending } from './ledger/pending.ts'
export { type Published, publishCheckpoints, publishedNotes } from './ledger/publish.ts'
export { type Sealed, seal } from './ledger/sealer.ts'
export { type Head, readHead, readHeads } from './ledger/store.ts'
export { verifierKeys } from './ledger/verifier-keys.ts'
export { type VerifyOptions, verify } from './ledger/verify/index.ts'
export type { LogReport, Problem, ProblemKind, VerifyReport } from './ledger/verify/problems.ts'
export { type LastVerification, lastVerification, recordVerification } from './ledger/verify/record.ts'
export {
  type ColumnTreatment,
  type Coverage,
  coverage,
  exempt,
  type Protection,
  protect,
  unprotect,
} from './trail/protect.ts'
