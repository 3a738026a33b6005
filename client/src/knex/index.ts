/** Knex: `withContext(knex({ client: 'pg', … }), { key })`. */
import type { Knex } from 'knex'
import type pg from 'pg'
import type { Executor } from '../executor.ts'
import { type ContextOptions, contextDriver } from '../pg/index.ts'

export type { ContextOptions } from '../pg/index.ts'

/**
 * Gives an instance the signed context. Call it before it connects.
 *
 * @returns the same instance
 * @throws ContextError for what is no context key
 */
export function withContext<K extends Knex>(knex: K, options: ContextOptions): K {
  const client = knex.client as { driver: typeof pg }
  client.driver = contextDriver(client.driver, options)
  return knex
}

/** Runs statements of this package's functions in an instance or transaction. */
export function executor(knex: Pick<Knex, 'raw'>): Executor {
  return {
    query: async (text, values) => {
      // The library's own parameters are question marks, which are operators of jsonb too.
      const named = text.replaceAll('?', '\\?').replaceAll(/\$(\d+)/g, ':p$1')
      const bindings = Object.fromEntries(values.map((value, index) => [`p${index + 1}`, value]))
      return await knex.raw(named, bindings as Record<string, Knex.RawBinding>)
    },
  }
}
