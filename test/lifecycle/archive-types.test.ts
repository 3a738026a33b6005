/** Every type that a table may have goes to Parquet and back, or is refused before anything moves. */
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { expect, test } from 'vitest'
import { archiveStatus, restorePartition, runArchive, verifyArchive } from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const cold = testStore()
const kinds = { schema: 'akashi_lifecycle', table: 'kinds' } as const

const columns: Readonly<Record<string, readonly [type: string, values: readonly string[]]>> = {
  a_uuid: ['uuid', ["'01890a5d-ac96-774b-bcce-b302099a8057'"]],
  an_inet: ['inet', ["'203.0.113.7'", "'10.0.0.0/8'", "'2001:db8::1'", "'2001:db8::/32'"]],
  a_cidr: ['cidr', ["'10.0.0.0/8'"]],
  a_text: [
    'text',
    [
      "''",
      "' '",
      "'NULL'",
      String.raw`'\N'`,
      String.raw`'\.'`,
      "'a,b'",
      "'\"'",
      "E'\\n'",
      "E'a\\r\\nb'",
      "E'\\t'",
      "'証 🔏'",
      "E'\\x01'",
      "repeat('long ', 100000)",
    ],
  ],
  a_varchar: ['varchar(20)', ["''", "'x'"]],
  a_char: ['char(5)', ["'ab'", "''"]],
  a_jsonb: [
    'jsonb',
    [`'{"b": 1, "a": [null, 1e400, "\\u00e9"]}'`, "'null'", '\'""\'', "'12345678901234567890.123456789'"],
  ],
  a_json: ['json', [`'{"b":  1,\n "b": 2}'`, "'null'"]],
  some_text: [
    'text[]',
    [
      "'{}'",
      "array['']",
      "array[null, 'NULL', 'a,b', '\"', E'\\\\', E'\\\\u001F', E'\\x1f\\x0b\\x7f\\n', '{}']::text[]",
    ],
  ],
  some_ints: ['integer[]', ["'{1,2,null}'", "'{{1,2},{3,4}}'", "'[2:3]={1,2}'"]],
  a_numeric: [
    'numeric',
    ["'NaN'", "'Infinity'", "'-Infinity'", '1e-20', "repeat('9', 200)::numeric", '0.10', '-0.0'],
  ],
  a_price: ['numeric(12,2)', ['0', '-0.01', '9999999999.99', '12.50']],
  a_wide: ['numeric(60,10)', ["repeat('9', 50)::numeric"]],
  a_double: [
    'double precision',
    [
      "'NaN'",
      "'Infinity'",
      "'-Infinity'",
      "'-0'",
      '1e15',
      '1e-300',
      '5e-324',
      '0.1',
      '1.7976931348623157e308',
    ],
  ],
  a_real: ['real', ["'NaN'", '0.1', '3.4028235e38']],
  a_small: ['smallint', ['-32768', '32767']],
  an_int: ['integer', ['-2147483648', '2147483647']],
  a_big: ['bigint', ["'-9223372036854775808'", '9223372036854775807']],
  an_xid8: ['xid8', ["'0'", "'123456789012'"]],
  a_bool: ['boolean', ['true', 'false']],
  some_bytes: ['bytea', ["''", "'\\x00'", "'\\xff00ff'"]],
  a_date: [
    'date',
    [
      "'infinity'",
      "'-infinity'",
      "'0044-03-15 BC'",
      "'4713-01-01 BC'",
      "'9999-12-31'",
      "'10000-01-01'",
      "'0001-01-01'",
    ],
  ],
  a_time: ['time', ["'24:00:00'", "'00:00:00'", "'12:34:56.789012'"]],
  a_timetz: ['timetz', ["'12:34:56+09'"]],
  a_stamp: [
    'timestamp',
    ["'infinity'", "'-infinity'", "'0044-03-15 10:00:00.5 BC'", "'2026-11-21 05:01:17.402691'"],
  ],
  a_moment: [
    'timestamptz',
    [
      "'infinity'",
      "'-infinity'",
      "'0044-03-15 10:00:00.5+00 BC'",
      "'4713-01-01 00:00:00+00 BC'",
      "'0001-12-31 23:59:59.999999+00 BC'",
      "'1969-12-31 23:59:59.999999+00'",
      "'9999-12-31 23:59:59.999999+00'",
      "'10000-01-01 00:00:00+00'",
    ],
  ],
  an_interval: ['interval', ["'1 year 2 mons -3 days 04:05:06.789'", "'0'"]],
  a_range: ['tstzrange', ["'[2026-01-01,)'", "'empty'"]],
  a_mac: ['macaddr', ["'08:00:2b:01:02:03'"]],
  a_point: ['point', ["'(1.5,-2)'"]],
  some_bits: ['bit varying', ["B'1011'", "''"]],
  an_lsn: ['pg_lsn', ["'16/B374D848'"]],
  an_xml_like: ['tsvector', ["'a:1 b:2'"]],
  'Name "quoted"': ['text', ["'x'"]],
}

async function asOwner(statement: string): Promise<void> {
  await database.asSuperuser((session) => session.query(`set role akashi_owner; ${statement}`))
}

async function makeTable(): Promise<number> {
  const definitions = Object.entries(columns).map(
    ([name, [type]]) => `"${name.replaceAll('"', '""')}" ${type}`,
  )
  await asOwner(`
    create table akashi_lifecycle.kinds (id bigint, created_at timestamptz not null, ${definitions.join(', ')}, primary key (id, created_at))
      partition by range (created_at);
    alter table akashi_lifecycle.kinds enable row level security;
    create policy all_rows on akashi_lifecycle.kinds to akashi_worker, akashi_owner using (true) with check (true);
    grant select on akashi_lifecycle.kinds to akashi_worker;
    insert into akashi_lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
      values ('akashi_lifecycle', 'kinds', 'day', 1, '90 days', 'archive', '1 year', false);
    select akashi_lifecycle.create_partitions('akashi_lifecycle.kinds', '2018-01-01', '2018-01-01')`)
  let id = 0
  for (const [name, [, values]] of Object.entries(columns)) {
    for (const value of values) {
      id += 1
      await asOwner(
        `insert into akashi_lifecycle.kinds (id, created_at, "${name.replaceAll('"', '""')}") values (${id}, '2018-01-01 12:00:00+00', ${value})`,
      )
    }
  }
  return id
}

async function contents(): Promise<unknown> {
  return await database.asSuperuser(
    async (session) =>
      (await session.query('select r::text as row from akashi_lifecycle.kinds r order by id')).rows,
  )
}

async function readObject(key: string): Promise<ArrayBuffer> {
  const chunks: Buffer[] = []
  for await (const chunk of await cold.store.get(key)) chunks.push(Buffer.from(chunk as Uint8Array))
  const bytes = Buffer.concat(chunks)
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
}

test('every value survives the way to Parquet and back', async () => {
  const count = await makeTable()
  const before = await contents()
  expect(before).toHaveLength(count)
  const rows = await runArchive(worker, tester, cold.store, { table: kinds, partRows: 40 })
  expect(rows.map(({ action, message }) => [action, message])).toContainEqual([
    'dropped',
    `Exported and dropped (${count} rows)`,
  ])
  expect(await contents()).toEqual([])
  expect((await verifyArchive(worker, tester, cold.store, { table: kinds })).filter(({ ok }) => !ok)).toEqual(
    [],
  )
  await restorePartition(database.open('owner'), tester, cold.store, {
    ...kinds,
    partition: 'kinds_p20180101',
  })
  expect(await contents()).toEqual(before)
})

test('an independent reader reads every file', async () => {
  const [record] = (await archiveStatus(worker, tester, { table: kinds })).filter(({ rows }) => rows !== 0)
  const manifest = JSON.parse(Buffer.from(await readObject(record?.manifest ?? '')).toString()) as {
    parts: { key: string; rows: number }[]
  }
  const found: Record<string, unknown>[] = []
  for (const { key, rows } of manifest.parts) {
    const part = await parquetReadObjects({ file: await readObject(key), compressors })
    expect(part).toHaveLength(rows)
    found.push(...part)
  }
  const value = (column: string) =>
    found.map((row) => row[column]).filter((each) => each !== null && each !== undefined)
  expect(value('an_inet')).toEqual(['203.0.113.7', '10.0.0.0/8', '2001:db8::1', '2001:db8::/32'])
  expect(value('a_text').slice(0, 4)).toEqual(['', ' ', 'NULL', String.raw`\N`])
  expect(value('a_big')).toEqual([-9223372036854775808n, 9223372036854775807n])
  expect(value('a_numeric').slice(0, 3)).toEqual(['NaN', 'Infinity', '-Infinity'])
  expect(value('some_text')[1]).toEqual([''])
  expect(value('an_int')).toEqual([-2147483648, 2147483647])
})

test.each<[string, string, string]>([
  ['an array of two dimensions', 'some_text', "array[['a', 'b'], ['c', 'd']]"],
  ['an array that does not begin at 1', 'some_text', "'[2:2]={a}'::text[]"],
  [
    'a time beyond what 64 bits of microseconds since 1970 hold',
    'a_moment',
    "'294276-12-31 23:59:59.999999+00'",
  ],
  ['a time that DuckDB rounds', 'a_moment', "'294246-12-31 23:59:59.999999+00'"],
  ['NaN in a number of fixed scale', 'a_price', "'NaN'"],
])('%s is refused before anything moves', async (_, column, value) => {
  await asOwner(
    `select akashi_lifecycle.create_partitions('akashi_lifecycle.kinds', '2018-01-02', '2018-01-02')`,
  )
  await asOwner(
    `insert into akashi_lifecycle.kinds (id, created_at, ${column}) values (1000, '2018-01-02 12:00:00+00', ${value})`,
  )
  const rows = await runArchive(worker, tester, cold.store, { table: kinds })
  const row = rows.find(({ partition }) => partition === 'kinds_p20180102')
  expect(row).toMatchObject({ action: 'failed', dropped: false })
  expect(row?.message).toMatch(/cannot be represented|differs from/)
  expect(await contents()).toContainEqual({ row: expect.stringMatching(/^\(1000,/) })
  await asOwner('delete from akashi_lifecycle.kinds where id = 1000')
})
