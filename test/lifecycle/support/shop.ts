/** Tables of an application, without a log, in a schema of their own. */

import { identifier } from '../../../src/lifecycle/archive/quote.ts'
import { setPolicy } from '../../../src/lifecycle/index.ts'
import type { Database } from '../../../src/postgres/index.ts'
import type { TestDatabase } from '../../support/index.ts'
import { tester } from '../../support/tester.ts'

export interface Shop {
  /** Runs statements as the owner of the tables. */
  asOwner(...statements: readonly string[]): Promise<void>
  /** Makes a table with monthly partitions for January and February 2024 and a policy that archives it. */
  makeTable(name: string, columns: string): Promise<{ readonly schema: 'shop'; readonly table: string }>
  /** Rows as JSON, by id. */
  rowsOf(relation: string): Promise<unknown[]>
}

export function shopOf(database: TestDatabase, worker: () => Database): Shop {
  const asOwner = async (...statements: readonly string[]) => {
    await database.asSuperuser((session) => session.query(`set role akashi_owner; ${statements.join('; ')}`))
  }
  return {
    asOwner,
    makeTable: async (name, columns) => {
      const relation = `shop.${identifier(name)}`
      await database.asSuperuser((session) =>
        session.query(`create schema if not exists shop authorization akashi_owner;
          grant usage on schema shop to akashi_worker, akashi_security_admin`),
      )
      await asOwner(
        `create table ${relation} (created_at timestamptz not null, ${columns}, primary key (id, created_at))
           partition by range (created_at)`,
        `grant select, insert, update on ${relation} to akashi_worker, akashi_security_admin`,
      )
      const table = { schema: 'shop', table: name } as const
      const policy = { interval: 'month', hot: '30 days', total: '9000 days', atExpiry: 'archive' } as const
      await setPolicy(worker(), tester, table, policy)
      await database.asSuperuser((session) =>
        session.query("select akashi_lifecycle.create_partitions($1::regclass, '2024-01-01', '2024-02-01')", [
          relation,
        ]),
      )
      return table
    },
    rowsOf: async (relation) =>
      await database.asSuperuser(async (session) => {
        const { rows } = await session.query<{ row: unknown }>(
          `select to_jsonb(t) as row from ${relation} t order by id`,
        )
        return rows.map(({ row }) => row)
      }),
  }
}
