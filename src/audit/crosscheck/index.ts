/** The trail against the write-ahead log, and the tables against the trail: docs/ledger.md. */

export {
  checkTable,
  protectedTable,
  protectedTableList,
  type StateOptions,
  type StateReport,
} from './check-state.ts'
export type { DiscrepancyKind } from './discrepancy.ts'
export { formatStatePosition, parseStatePosition, STATE_START, type TablePosition } from './position.ts'
export { type GapCause, signProgressAgain } from './progress.ts'
export {
  type CrosscheckFindings,
  type CrosscheckStatus,
  crosscheckFindings,
  crosscheckStatus,
  type Discrepancy,
  type Gap,
  type ListQuery,
  listDiscrepancies,
  listGaps,
  settleDiscrepancies,
} from './report.ts'
export {
  type CrosscheckOptions,
  type CrosscheckSource,
  crosscheck,
  giveUpCrosscheck,
  repairCrosscheck,
} from './run.ts'
export { crosscheckObstacle, dropCrosscheckSlot, readCrosscheckSlot } from './slot.ts'
