/** Tables change, archives stay: whatever is altered before, between and after, the rows come back as if they had stayed. */
import { rm } from 'node:fs/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { identifier } from '../../src/lifecycle/archive/quote.ts'
import {
  type ArchiveRow,
  archiveStatus,
  openQueries,
  type Queries,
  restorePartition,
  runArchive,
  verifyArchive,
} from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testStore } from './support/archive.ts'
import { shopOf } from './support/shop.ts'

const database = testDatabase()
const worker = database.open('worker')
const cold = testStore()
const shop = shopOf(database, () => worker)
const RUNS = process.env['AKASHI_LONG'] === undefined ? 4 : 200
const SEED = 20_261_129
const ROWS = 25

let queries: Queries
beforeAll(() => {
  queries = openQueries({
    database: database.open('security_admin'),
    store: cold.store,
    folder: `${cold.folder}-cache`,
  })
})
afterAll(async () => {
  queries.close()
  await rm(`${cold.folder}-cache`, { recursive: true, force: true })
})

const columns = `id bigint generated always as identity, a integer, b integer, total integer generated always as (a * b) stored,
  name text, mood shop.mood, amount shop.yen, year integer, "Group" text, tags text[], note varchar(20), flag boolean, at timestamp`

/** Statements about a table; each may be applied once, in any order. */
const alterations: Readonly<Record<string, (table: string) => string[]>> = {
  'a column is added': (t) => [`alter table ${t} add column extra text`],
  'a column is added with a default': (t) => [`alter table ${t} add column seven integer not null default 7`],
  'a generated column is added': (t) => [
    `alter table ${t} add column twice integer generated always as (b * 2) stored`,
  ],
  'a column is dropped': (t) => [`alter table ${t} drop column note`],
  'a column is renamed': (t) => [`alter table ${t} rename column name to title`],
  'two columns change names': (t) => [
    `alter table ${t} rename column a to c`,
    `alter table ${t} rename column b to a`,
    `alter table ${t} rename column c to b`,
  ],
  'a column is dropped and made again': (t) => [
    `alter table ${t} drop column year`,
    `alter table ${t} add column year text`,
  ],
  'a number becomes text': (t) => [`alter table ${t} alter column "Group" type varchar(90)`],
  'a boolean becomes text': (t) => [`alter table ${t} alter column flag type text`],
  'a time gets a zone': (t) => [`set timezone = 'UTC'; alter table ${t} alter column at type timestamptz`],
  'a domain is replaced by its base': (t) => [`alter table ${t} alter column amount type numeric(14,2)`],
  'a generated column becomes a plain one': (t) => [`alter table ${t} alter column total drop expression`],
}

let tables = 0
const names = [
  'metered',
  '顧客取引履歴明細データ保管用の月次',
  'with "quotes"',
  'CamelCase',
  'year',
  'x'.repeat(61),
]

/** A partitioned table and an ordinary one with the same rows. */
async function makeTwins(base?: string): Promise<{ name: string; relation: string; twin: string }> {
  tables += 1
  const name = base ?? `${names[tables % names.length]}${tables}`
  const [relation, twin] = [`shop.${identifier(name)}`, `shop.twin${tables}`]
  if (tables === 1) {
    await database.asSuperuser((session) => session.query('create schema shop authorization akashi_owner'))
    await shop.asOwner(
      "create type shop.mood as enum ('glad', 'sad')",
      'create domain shop.price as numeric(10,2)',
      'create domain shop.yen as shop.price check (value is null or value > -1000000)',
    )
  }
  await shop.makeTable(name, columns)
  const rows = (at: string) => `(a, b, name, mood, amount, year, "Group", tags, note, flag, at, created_at)
    select i, i % 5, nullif('名 "' || i, '名 "3'), (array['glad', 'sad'])[1 + i % 2]::shop.mood, i / 3.0, 2000 + i, i::text,
           case when i % 4 = 0 then array['t' || i, null] end, 'n' || i, i % 3 = 0, timestamp '2020-02-03 04:05:06.789' + i * interval '1 day',
           ${at}::timestamptz + i * interval '1 hour' from generate_series(1, ${ROWS}) i`
  await shop.asOwner(
    `insert into ${relation} ${rows("'2024-01-10'")}`,
    `create table ${twin} (created_at timestamptz not null, ${columns})`,
    `insert into ${twin} ${rows("'2024-01-10'")}`,
  )
  return { name, relation, twin }
}

async function alter(applied: readonly string[], relations: readonly string[]): Promise<void> {
  for (const each of applied) {
    for (const relation of relations) await shop.asOwner(...(alterations[each]?.(relation) ?? []))
  }
}

async function archive(table: string, options: { only?: 'export' | 'expire' } = {}): Promise<ArchiveRow[]> {
  return await runArchive(worker, tester, cold.store, {
    table: { schema: 'shop', table },
    partRows: 10,
    ...options,
  })
}

async function january(table: string): Promise<string> {
  const found = await archiveStatus(worker, tester, { table: { schema: 'shop', table } })
  return found.find(({ from }) => from.startsWith('2024-01'))?.partition ?? ''
}

async function restore(table: string): Promise<void> {
  const partition = await january(table)
  await restorePartition(database.open('owner'), tester, cold.store, { schema: 'shop', table, partition })
}

async function wayThrough(
  before: readonly string[],
  between: readonly string[],
  after: readonly string[],
): Promise<void> {
  const { name, relation, twin } = await makeTwins()
  await alter(before, [relation, twin])
  const exported = await archive(name, { only: 'export' })
  expect(exported.map(({ action, message }) => [action, message.slice(0, 8)])).toEqual([
    ['exported', 'Exported'],
    ['exported', 'Exported'],
  ])
  await alter(between, [relation, twin])
  const expired = await archive(name)
  expect(expired.map(({ action, message }) => [action, message.replace(/\d+/, 'n')])).toEqual([
    ['dropped', 'Exported and dropped (n rows)'],
    ['dropped', 'Exported and dropped (n rows)'],
  ])
  expect(await shop.rowsOf(relation)).toEqual([])
  await alter(after, [relation, twin])
  expect((await verifyArchive(worker, tester, cold.store)).filter(({ ok }) => !ok)).toEqual([])
  const asked = await queries.run(tester, { sql: `select count(*), sum(id) from ${relation}` })
  expect([asked.rows[0]?.map(Number), asked.hot]).toEqual([[ROWS, (ROWS * (ROWS + 1)) / 2], 0])
  await restore(name)
  expect(await shop.rowsOf(relation)).toEqual(await shop.rowsOf(twin))
}

const all = Object.keys(alterations)

test('everything between export and expiry', () => wayThrough([], all, []), 120_000)
test('everything after the rows were dropped', () => wayThrough([], [], all), 120_000)

test('any of it, at any time', async () => {
  const when = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: all.length, maxLength: all.length })
  await fc.assert(
    fc.asyncProperty(when, async (moments) => {
      const at = (moment: number) => all.filter((_, i) => moments[i] === moment)
      await wayThrough(at(0), at(1), at(2))
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: true },
  )
}, 900_000)

test('values of an enumeration and bounds of a domain that came later change nothing', async () => {
  const { name, relation, twin } = await makeTwins()
  await archive(name, { only: 'export' })
  await shop.asOwner("alter type shop.mood add value if not exists 'calm' before 'sad'")
  await shop.asOwner('alter domain shop.price add constraint small check (value < 1000000)')
  expect((await archive(name)).map(({ action }) => action)).toEqual(['dropped', 'dropped'])
  await restore(name)
  expect(await shop.rowsOf(relation)).toEqual(await shop.rowsOf(twin))
})

test('a value that was renamed is exported again, and one that is archived is not restored as another', async () => {
  await shop.asOwner("create type shop.size as enum ('small', 'large')")
  const table = await shop.makeTable('sized', 'id bigint, size shop.size')
  await shop.asOwner("insert into shop.sized values ('2024-01-10', 1, 'small'), ('2024-02-10', 2, 'large')")
  await archive('sized', { only: 'export' })
  await shop.asOwner("alter type shop.size rename value 'small' to 'little'")
  expect((await archive('sized')).map(({ action }) => action)).toEqual(['dropped', 'dropped'])
  const states = (await archiveStatus(worker, tester, { table })).map(({ state, generation }) => [
    state,
    generation,
  ])
  expect(states).toEqual([
    ['superseded', 0],
    ['dropped', 1],
    ['dropped', 0],
  ])
  await shop.asOwner("alter type shop.size rename value 'little' to 'tiny'")
  await expect(restore('sized')).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringMatching(/does not fit into the current shop.sized/),
  })
  expect((await queries.run(tester, { sql: 'select size from shop.sized order by id' })).rows).toEqual([
    ['little'],
    ['large'],
  ])
})

test('a type that changes values: what is hot is exported again, what is archived stays as it was', async () => {
  const table = await shop.makeTable('rounded', 'id bigint, price numeric(8,2)')
  await shop.asOwner("insert into shop.rounded values ('2024-01-10', 1, 12.34)")
  await archive('rounded', { only: 'export' })
  await shop.asOwner('alter table shop.rounded alter column price type numeric(8,1)')
  expect((await archive('rounded')).map(({ action }) => action)).toEqual(['dropped', 'dropped'])
  expect((await queries.run(tester, { sql: 'select price from shop.rounded' })).rows).toEqual([['12.3']])
  await shop.asOwner('alter table shop.rounded alter column price type integer')
  await expect(restore('rounded')).rejects.toMatchObject({
    code: 'integrity',
    hint: expect.stringMatching(/akashi query/),
  })
  expect((await archiveStatus(worker, tester, { table })).map(({ state }) => state)).toEqual([
    'superseded',
    'dropped',
    'dropped',
  ])
})

test('a column that was filled after the export is not lost', async () => {
  await shop.makeTable('filled', 'id bigint, v text')
  await shop.asOwner("insert into shop.filled values ('2024-01-10', 1, 'x')")
  await archive('filled', { only: 'export' })
  await shop.asOwner('alter table shop.filled add column later text', "update shop.filled set later = 'y'")
  await archive('filled')
  expect((await queries.run(tester, { sql: 'select v, later from shop.filled' })).rows).toEqual([['x', 'y']])
})

test('a primary key whose columns changed: exported again while hot', async () => {
  await shop.makeTable('keyed', 'id bigint, v text')
  await shop.asOwner("insert into shop.keyed values ('2024-01-10', 1, 'x')")
  await archive('keyed', { only: 'export' })
  await shop.asOwner(
    'alter table shop.keyed drop constraint keyed_pkey',
    'alter table shop.keyed drop column id',
    'alter table shop.keyed add column id text not null default gen_random_uuid()',
    'alter table shop.keyed add primary key (id, created_at)',
  )
  expect((await archive('keyed')).map(({ action }) => action)).toEqual(['dropped', 'dropped'])
  await restore('keyed')
  expect(await shop.rowsOf('shop.keyed')).toMatchObject([{ v: 'x' }])
})

test.each(process.env['AKASHI_LONG'] === '1' ? [12, 128] : [12])(
  'a row of %i MiB goes all the way',
  async (mebibytes) => {
    const bytes = mebibytes << 20
    const name = `large${bytes}`
    await shop.makeTable(name, 'id bigint, v text')
    await shop.asOwner(
      `insert into shop.${name} values ('2024-01-10', 1, repeat('x"', ${bytes / 2})), ('2024-01-10', 2, 'short')`,
    )
    const digest = async () =>
      await database.asSuperuser(async (session) => {
        const { rows } = await session.query<{ hash: string }>(
          `select md5(string_agg(v, '' order by id)) as hash from shop.${name}`,
        )
        return rows[0]?.hash
      })
    const before = await digest()
    expect((await archive(name)).map(({ action, message }) => [action, message])).toEqual([
      ['dropped', 'Exported and dropped (2 rows)'],
      ['dropped', 'Exported and dropped (0 rows)'],
    ])
    const asked = await queries.run(tester, { sql: `select id, length(v) from shop.${name} order by id` })
    expect(asked.rows.map((row) => row.map(Number))).toEqual([
      [1, bytes],
      [2, 5],
    ])
    await restore(name)
    expect(await digest()).toBe(before)
  },
  900_000,
)
