export { type BacktestRequest, type BacktestResult, backtest } from './backtest.ts'
export { bundleFinding, checkFindingBundle, type FindingBundle, type ProvenFinding } from './bundle.ts'
export { type Calendar, calendarOf } from './calendar.ts'
export { type Configured, configuredRules, overridesOf } from './configured.ts'
export type { Finding } from './correlate.ts'
export { evaluate, type PlainEvent } from './evaluate.ts'
export {
  changeFinding,
  type FindingFilter,
  type FindingRow,
  listCases,
  listFindings,
  readFinding,
} from './findings.ts'
export { type HistoryRange, type HistoryResult, historySql, runHistory, tableOf } from './history.ts'
export { LiveDetector } from './live.ts'
export { Matcher, type Row } from './matcher.ts'
export { OWN_RULES, readRuleFolders, type TestResult, testRules } from './pack.ts'
export {
  type DetectionState,
  detectionState,
  explainRule,
  matrixOf,
  type RuleReport,
  reporting,
  reportRules,
  ruleNamed,
  sqlOf,
} from './report.ts'
export { noResponses, type Responses, responsesOf } from './respond.ts'
export type { Rule, SourceTable } from './rule/ast.ts'
export { type Overrides, type Parsed, parseRules, type Refusal } from './rule/parse.ts'
export { duckdb, postgresql } from './sql/dialects.ts'
export { type Coverage, coverageOf, gapsOf, keepRun, rulesetOf, runAndKeep } from './store.ts'
