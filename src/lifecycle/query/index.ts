export { MAX_AT_ONCE, MAX_TIMEOUT_MS } from './limits.ts'
export { csvLine, type QueryFormat, queryFormat, queryFormats, type Written, writeAnswer } from './output.ts'
export type { QueryAnswer, QueryProgress, QueryRequest } from './request.ts'
export {
  openQueries,
  type Queries,
  type QueriesOptions,
} from './run.ts'
