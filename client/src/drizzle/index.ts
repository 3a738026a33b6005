/** Drizzle: open it on a pool of `@akashi/client/pg`, or a client of `@akashi/client/postgres`. */
import { type SQL, sql } from 'drizzle-orm'
import { type Executor, splitParameters } from '../executor.ts'

export { type ContextOptions, withContext } from '../pg/index.ts'

/** Runs statements of this package's functions in a database or transaction of Drizzle. */
export function executor(db: { execute(query: SQL): PromiseLike<unknown> }): Executor {
  return {
    query: async (text, values) => {
      const parts = splitParameters(text, values)
      const strings = Object.assign(parts.strings, { raw: parts.strings })
      const result = await db.execute(sql(strings, ...parts.values.map((value) => sql.param(value))))
      return { rows: Array.isArray(result) ? [...result] : (result as { rows: unknown[] }).rows }
    },
  }
}
