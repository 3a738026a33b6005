/** A query and its result. */
import { MAX_QUERY_ROWS, MAX_SQL_CHARACTERS } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import { MAX_TIMEOUT_MS } from './limits.ts'

export interface QueryProgress {
  readonly phase: 'fetch' | 'scan'
  /** Progress, 0 to 1. */
  readonly done: number
}

export interface QueryRequest {
  readonly sql: string
  /** Rows of the result at most; default 10,000. */
  readonly rows?: number
  /** Bytes of the result at most, as JSON; default 64 MiB for one that is held, and none for one with a sink. */
  readonly bytes?: number
  /** Timeout in milliseconds; default one minute. */
  readonly timeoutMs?: number
  /** DuckDB's memory, such as `2GB`; default 1 GB. */
  readonly memory?: string
  /** Why it is run: kept in the trail. */
  readonly reason?: string
  readonly signal?: AbortSignal
  /** Throws where the caller may not read one of these tables; called before anything is read. */
  readonly authorize?: (
    tables: readonly { readonly schema: string; readonly table: string }[],
  ) => Promise<void>
  readonly onProgress?: (progress: QueryProgress) => void
  /** Takes the rows as they come, in place of a result that holds them; the engine waits for it. */
  readonly sink?: {
    columns(names: readonly string[], types: readonly string[]): void | Promise<void>
    rows(rows: readonly (readonly unknown[])[]): void | Promise<void>
  }
}

export interface QueryResult {
  readonly columns: readonly string[]
  /** DuckDB's types. */
  readonly types: readonly string[]
  /** Values by column. Integers that JSON cannot represent, decimals and times are strings. */
  readonly rows: readonly (readonly unknown[])[]
  /** Keys of the archived objects read. */
  readonly files: readonly string[]
  /** Rows that came from PostgreSQL. */
  readonly hot: number
  /** Whether there are more rows than were requested. */
  readonly truncated: boolean
}

/** Refuses limits that no query can keep to. */
export function checkRequest({ sql, rows, timeoutMs, memory }: QueryRequest): void {
  const wrong = (what: string, hint: string) => new AkashiError('invalid_input', what, { hint })
  if (sql.trim() === '') throw wrong('the query is empty', 'give a SELECT statement')
  if (sql.length > MAX_SQL_CHARACTERS)
    throw wrong('the query is too long', `at most ${MAX_SQL_CHARACTERS} characters`)
  if (rows !== undefined && !(Number.isInteger(rows) && rows > 0 && rows <= MAX_QUERY_ROWS)) {
    throw wrong(`${rows} is not a valid number of rows`, `from 1 to ${MAX_QUERY_ROWS}`)
  }
  if (
    timeoutMs !== undefined &&
    !(Number.isInteger(timeoutMs) && timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)
  ) {
    throw wrong('the time limit is not valid', `from 1 to ${MAX_TIMEOUT_MS} ms`)
  }
  if (memory !== undefined && !/^[1-9]\d{0,5}(MB|GB)$/.test(memory))
    throw wrong(`${memory} is not a valid memory size`, 'write it as 2GB or 512MB')
}
