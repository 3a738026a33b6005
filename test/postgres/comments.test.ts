import { expect, it } from 'vitest'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()

it('every table and view has a comment', async () => {
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ name: string; comment: string | null }>(
      `select c.oid::regclass::text as name, obj_description(c.oid, 'pg_class') as comment
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname like 'akashi\\_%' and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
         and (n.nspname <> 'akashi_jobs' or c.relname = 'migrations')`,
    ),
  )
  expect(rows.length).toBeGreaterThan(60)
  expect(rows.filter(({ comment }) => comment === null).map(({ name }) => name)).toEqual([])
})
