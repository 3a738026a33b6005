/** Kysely: give `withContext(pool)` to its `PostgresDialect`. */
import { CompiledQuery, type QueryExecutorProvider } from 'kysely'
import type { Executor } from '../executor.ts'

export { type ContextOptions, withContext } from '../pg/index.ts'

/** Runs statements of this package's functions in a database or transaction of Kysely. */
export function executor(db: QueryExecutorProvider): Executor {
  return { query: (text, values) => db.getExecutor().executeQuery(CompiledQuery.raw(text, values)) }
}
