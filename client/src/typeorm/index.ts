/** TypeORM: `new DataSource({ type: 'postgres', driver: contextDriver(pg, { key }), … })`. */
import type { Executor } from '../executor.ts'

export { type ContextOptions, contextDriver } from '../pg/index.ts'

/** Runs statements of this package's functions in an entity manager, data source or query runner. */
export function executor(manager: { query(text: string, values?: unknown[]): Promise<unknown> }): Executor {
  return { query: async (text, values) => ({ rows: (await manager.query(text, values)) as unknown[] }) }
}
