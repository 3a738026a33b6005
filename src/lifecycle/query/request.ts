/** What is asked, and what is answered. */
import { MAX_QUERY_ROWS, MAX_SQL_CHARACTERS } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'
import { MAX_TIMEOUT_MS } from './limits.ts'

export interface QueryProgress {
  readonly phase: 'fetch' | 'scan'
  /** Share that is done, 0 to 1. */
  readonly done: number
}

export interface QueryRequest {
  readonly sql: string
  /** Rows of the answer at most; default 10,000. */
  readonly rows?: number
  /** Milliseconds for all of it; default a minute. */
  readonly timeoutMs?: number
  /** DuckDB's memory, such as `2GB`; default 1 GB. */
  readonly memory?: string
  /** Why it is asked: kept in the trail. */
  readonly reason?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: QueryProgress) => void
  /** Takes the rows as they come, in place of an answer that holds them; the engine waits for it. */
  readonly sink?: {
    columns(names: readonly string[], types: readonly string[]): void | Promise<void>
    rows(rows: readonly (readonly unknown[])[]): void | Promise<void>
  }
}

export interface QueryAnswer {
  readonly columns: readonly string[]
  /** DuckDB's types. */
  readonly types: readonly string[]
  /** Values by column. Whole numbers that JSON cannot hold, decimals and times are text. */
  readonly rows: readonly (readonly unknown[])[]
  /** Keys of the archived objects that were read. */
  readonly files: readonly string[]
  /** Rows that came from PostgreSQL. */
  readonly hot: number
  /** Whether there are more rows than were asked for. */
  readonly truncated: boolean
}

/** Refuses what no query can keep to. */
export function checkRequest({ sql, rows, timeoutMs, memory }: QueryRequest): void {
  const wrong = (what: string, hint: string) => new AkashiError('invalid_input', what, { hint })
  if (sql.trim() === '') throw wrong('the query is empty', 'give one SELECT')
  if (sql.length > MAX_SQL_CHARACTERS)
    throw wrong('the query is too long', `${MAX_SQL_CHARACTERS} characters at most`)
  if (rows !== undefined && !(Number.isInteger(rows) && rows > 0 && rows <= MAX_QUERY_ROWS)) {
    throw wrong(`${rows} is no number of rows`, `from 1 to ${MAX_QUERY_ROWS}`)
  }
  if (
    timeoutMs !== undefined &&
    !(Number.isInteger(timeoutMs) && timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)
  ) {
    throw wrong('the time limit cannot be met', `from 1 to ${MAX_TIMEOUT_MS} ms`)
  }
  if (memory !== undefined && !/^[1-9]\d{0,5}(MB|GB)$/.test(memory))
    throw wrong(`${memory} is no size`, 'such as 2GB')
}
