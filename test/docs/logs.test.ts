/** docs/logs.md lists every log of the database, with the periods of a new installation. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()
const text = readFileSync(join(import.meta.dirname, '../../docs/logs.md'), 'utf8')
const lines = text.split('\n').filter((line) => line.startsWith('| '))
const tables = [...text.matchAll(/`(akashi_[a-z]+[.][a-z_]+)`/g)].map(([, name = '']) => name)

const ask = async <R extends object>(sql: string): Promise<R[]> =>
  (await database.asSuperuser((session) => session.query<R>(sql))).rows

it('names tables that are there', async () => {
  const found = await ask<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c where c.relkind in ('r', 'p') and not c.relispartition
     and c.relnamespace::regnamespace::text like 'akashi%'`,
  )
  const names = new Set(found.map(({ name }) => name))
  expect(tables.filter((table) => !names.has(table))).toEqual([])
  expect(tables).toHaveLength(new Set(tables).size)
})

it('names every table that only grows', async () => {
  const guarded = await ask<{ name: string }>(
    `select distinct tgrelid::regclass::text as name from pg_trigger t join pg_class c on c.oid = t.tgrelid
     where tgname = 'refuse_change' and not c.relispartition order by 1`,
  )
  expect(guarded.length).toBeGreaterThan(10)
  const missing = guarded.map(({ name }) => name).filter((name) => !tables.includes(name))
  expect(missing, missing.join()).toEqual([])
})

it('says how long each log is kept', async () => {
  const policies = await ask<{ name: string; hot: string; total: string }>(
    `select format('%s.%s', schema_name, table_name) as name, to_char_of(hot_retention) as hot, to_char_of(total_retention) as total
     from akashi_lifecycle.policies where append_only`.replaceAll(
      /to_char_of\((\w+)\)/g,
      `case when extract(month from $1) + extract(year from $1) > 0
         then extract(year from $1) * 12 + extract(month from $1) || ' months' else extract(day from $1) || ' days' end`,
    ),
  )
  expect(policies.length).toBeGreaterThan(3)
  for (const { name, hot, total } of policies) {
    expect(
      lines.find((line) => line.includes(`\`${name}\``)),
      name,
    ).toContain(`${hot} in PostgreSQL, ${total} in all`)
  }
})
