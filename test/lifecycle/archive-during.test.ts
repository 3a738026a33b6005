/** Tables that change while they are exported: the run says so or goes on, and the next one ends with every row once. */
import { beforeAll, expect, test } from 'vitest'
import { archiveStatus, restorePartition, runArchive } from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testStore } from './support/archive.ts'
import { shopOf } from './support/shop.ts'

const database = testDatabase()
const worker = database.open('worker')
const cold = testStore()
const shop = shopOf(database, () => worker)
const ROWS = 120
const PART_ROWS = 50
let made = 0

beforeAll(async () => {
  await shop.makeTable('first', 'id bigint, v text')
})

/** What is done in the middle of the export, and what the rows are then. */
const changes: readonly (readonly [string, (table: string) => string, (row: Row) => Row | undefined])[] = [
  [
    'a column is added',
    (table) => `alter table ${table} add column w text default 'w'`,
    (row) => ({ ...row, w: 'w' }),
  ],
  ['a column is dropped', (table) => `alter table ${table} drop column v`, ({ v: _, ...row }) => row],
  [
    'a column is renamed',
    (table) => `alter table ${table} rename column v to "V v"`,
    ({ v, ...row }) => ({ ...row, 'V v': v }),
  ],
  [
    'a type is changed',
    (table) => `alter table ${table} alter column n type text using 'n' || n`,
    (row) => ({ ...row, n: `n${row['n']}` }),
  ],
  [
    'rows of parts before and behind go',
    (table) => `delete from ${table} where id in (1, 60, 119)`,
    (row) => ([1, 60, 119].includes(Number(row.id)) ? undefined : row),
  ],
  [
    'rows come',
    (table) =>
      `insert into ${table} (created_at, id, v, n) values ('2024-01-10', 0, 'late', 0), ('2024-01-10', 999, 'late', 999)`,
    (row) => row,
  ],
  [
    'the key of a row moves to another part',
    (table) => `update ${table} set id = 500 where id = 3`,
    (row) => (row.id === 3 ? { ...row, id: 500 } : row),
  ],
  ['every row is written anew', (table) => `update ${table} set v = 'new'`, (row) => ({ ...row, v: 'new' })],
  [
    'the table is renamed and back',
    (table) =>
      `alter table ${table} rename to aside; alter table shop.aside rename to ${table.slice('shop.'.length)}`,
    (row) => row,
  ],
]

interface Row {
  readonly [column: string]: unknown
  readonly id: number
}

test.each(changes)(
  'while it is exported, %s',
  async (_, change, after) => {
    made += 1
    const name = `during${made}`
    const relation = `shop.${name}`
    const table = await shop.makeTable(name, 'id bigint, v text, n integer')
    await shop.asOwner(
      `insert into ${relation} select '2024-01-10', i, 'v' || i, i from generate_series(1, ${ROWS}) i`,
    )
    const before = (await shop.rowsOf(relation)) as Row[]
    let parts = 0
    await runArchive(worker, tester, cold.store, {
      table,
      partRows: PART_ROWS,
      onStep: async (step) => {
        if (step !== 'copied') return
        parts += 1
        if (parts === 2) await shop.asOwner(change(relation))
      },
    })
    expect(parts).toBeGreaterThanOrEqual(2)
    await runArchive(worker, tester, cold.store, { table, partRows: PART_ROWS })
    const states = (await archiveStatus(worker, tester, { table })).map(({ state }) => state)
    expect(states).toContain('dropped')
    expect(await shop.rowsOf(relation)).toEqual([])
    const partition = `${name}_2024_01`
    await restorePartition(database.open('owner'), tester, cold.store, { ...table, partition })
    const back = ((await shop.rowsOf(relation)) as Row[]).filter(({ v }) => v !== 'late')
    const expected = before.map(after).filter((row) => row !== undefined)
    const byId = (rows: readonly Row[]) => [...rows].sort((a, b) => a.id - b.id)
    expect(byId(back)).toEqual(byId(expected))
    if (change(relation).startsWith('insert')) expect(await shop.rowsOf(relation)).toHaveLength(ROWS + 2)
  },
  120_000,
)

test('while it is exported, the table is dropped: the run says so, and goes on with the others', async () => {
  const [gone, stays] = [
    await shop.makeTable('gone', 'id bigint'),
    await shop.makeTable('stays', 'id bigint'),
  ]
  await shop.asOwner(
    `insert into shop.gone select '2024-01-10', i from generate_series(1, ${ROWS}) i`,
    `insert into shop.stays select '2024-01-10', i from generate_series(1, ${ROWS}) i`,
  )
  let dropped = false
  const rows = await runArchive(worker, tester, cold.store, {
    partRows: PART_ROWS,
    onStep: async (step, target) => {
      if (step !== 'copied' || target.table !== gone.table || dropped) return
      dropped = true
      await shop.asOwner('drop table shop.gone')
    },
  })
  expect(dropped).toBe(true)
  expect(rows.find(({ table, action }) => table === 'shop.gone' && action === 'failed')).toBeDefined()
  expect((await archiveStatus(worker, tester, { table: stays })).map(({ state }) => state)).toContain(
    'dropped',
  )
})
