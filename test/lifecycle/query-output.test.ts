import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { csvLine, openQueries, type Queries, queryFormat, writeResult } from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testStore } from './support/archive.ts'

const database = testDatabase()
const cold = testStore()
let queries: Queries
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-answers-'))
  queries = openQueries({
    database: database.open('security_admin'),
    store: cold.store,
    folder: join(folder, 'cache'),
  })
})
afterAll(async () => {
  queries.close()
  await rm(folder, { recursive: true, force: true })
})

const sql = `select 9007199254740993::bigint as big, 7 as small, 1.50::decimal(9, 2) as price, 'a "b", 行' as text, null::varchar as nothing,
  timestamptz '2024-06-10 00:00:01.5Z' as at, ['x', 'y, z'] as list, true as yes, sum(i)::hugeint as total, blob '\\x00\\xff\\x5c' as bytes,
  interval 3 days as span, 1 as small
  from range(3) t(i)`

test('JSON keeps what JSON can hold, and text where it cannot', async () => {
  const { rows, types } = await queries.run(tester, { sql })
  expect(types.slice(0, 2)).toEqual(['BIGINT', 'INTEGER'])
  expect(rows[0]?.slice(0, 9)).toEqual([
    '9007199254740993',
    7,
    '1.50',
    'a "b", 行',
    null,
    '2024-06-10 00:00:01.5+00',
    ['x', 'y, z'],
    true,
    3,
  ])
})

test('CSV', async () => {
  const file = join(folder, 'answer.csv')
  const { written } = await writeResult(
    queries,
    tester,
    { sql: 'select i, null as n from range(3000) t(i) order by i' },
    { format: 'csv', file },
  )
  expect(written).toBe(3_000)
  const lines = (await readFile(file, 'utf8')).split('\r\n')
  expect([lines.length, lines[0], lines[1], lines[3_000]]).toEqual([3_002, 'i,n', '0,', '2999,'])
})

test('CSV quotes what would be read as something else', () => {
  expect(csvLine([null, '', 'a', ' a', 'a\t', 'a,b', 'say "x"', 'two\nlines', -1, true, { a: 1 }])).toBe(
    `,"",a," a","a\t","a,b","say ""x""","two\nlines",-1,true,"{""a"":1}"\r\n`,
  )
})

test('JSON', async () => {
  const file = join(folder, 'answer.json')
  await writeResult(queries, tester, { sql: 'select i from range(5000) t(i)' }, { format: 'json', file })
  const document = JSON.parse(await readFile(file, 'utf8'))
  expect(document.columns).toEqual(['i'])
  expect(document.rows).toHaveLength(5_000)
})

test('Parquet keeps types and lists, and names that occur twice', async () => {
  const file = join(folder, 'answer.parquet')
  await writeResult(queries, tester, { sql }, { format: 'parquet', file })
  const [row] = await parquetReadObjects({ file: await asyncBufferFromFile(file), compressors, utf8: false })
  expect(row).toMatchObject({
    big: 9007199254740993n,
    small: 7,
    small_1: 1,
    price: 1.5,
    text: 'a "b", 行',
    nothing: null,
    at: new Date('2024-06-10T00:00:01.500Z'),
    list: ['x', 'y, z'],
    yes: true,
    total: 3,
  })
  expect([...(row?.['bytes'] ?? [])]).toEqual([0, 255, 92])
})

test('a query that fails leaves no file', async () => {
  const file = join(folder, 'failed.csv')
  const failing = writeResult(
    queries,
    tester,
    { sql: "select error('x') from range(2)" },
    { format: 'csv', file },
  )
  await expect(failing).rejects.toMatchObject({ code: 'invalid_input' })
  await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' })
})

test.each([
  [undefined, undefined, 'table'],
  [undefined, 'a.parquet', 'parquet'],
  ['json', 'a.csv', 'json'],
  [undefined, 'a.txt', 'csv'],
])('format %s of file %s is %s', (format, file, expected) => {
  expect(queryFormat(format, file)).toBe(expected)
})
