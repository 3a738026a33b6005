/** Sequelize: `new Sequelize(url, { dialectModule: contextDriver(pg, { key }) })`. */
import type { Sequelize, Transaction } from 'sequelize'
import type { Executor } from '../executor.ts'

export { type ContextOptions, contextDriver } from '../pg/index.ts'

/** Runs statements of this package's functions in a transaction, or without one. */
export function executor(sequelize: Sequelize, transaction: Transaction | null = null): Executor {
  return {
    query: async (text, values) => {
      const [rows] = await sequelize.query(text, { bind: values, transaction })
      return { rows }
    },
  }
}
