export { MAX_AT_ONCE, MAX_TIMEOUT_MS } from './limits.ts'
export { csvLine, type QueryFormat, queryFormat, queryFormats, type Written, writeResult } from './output.ts'
export type { QueryProgress, QueryRequest, QueryResult } from './request.ts'
export {
  openQueries,
  type Queries,
  type QueriesOptions,
} from './run.ts'
export { changeSavedQuery, deleteSavedQuery, listSavedQueries, saveQuery } from './saved.ts'
