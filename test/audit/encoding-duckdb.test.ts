import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  auditLogs,
  duckdbEntrySql,
  entryHash,
  type LogDefinition,
  type RowText,
  securityEvents,
} from '../../src/audit/index.ts'

/** What the archive's Parquet files hold for each form; what DuckDB cannot hold as PostgreSQL does is text. */
const types = {
  text: 'varchar',
  integer: 'bigint',
  boolean: 'boolean',
  uuid: 'uuid',
  inet: 'varchar',
  json: 'varchar',
  bytes: 'blob',
  time: 'timestamptz',
  'text[]': 'varchar[]',
} as const

const text = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .map((value) => value.replaceAll('\u0000', '').toWellFormed())

const forms: Readonly<Record<keyof typeof types, fc.Arbitrary<string | (string | null)[]>>> = {
  text: fc.oneof(text, fc.constantFrom('', "it's", '日本語\n', '1:2:', '𝒜\u0301')),
  integer: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  boolean: fc.constantFrom('true', 'false'),
  uuid: fc.uuid(),
  inet: fc.constantFrom('203.0.113.7', '10.0.0.0/8', '::1', '2001:db8::/32'),
  json: fc.constantFrom(
    '{"port": 22}',
    '{"n": 1.0, "e": 1e400}',
    '[]',
    '"ü"',
    'null',
    '12345678901234567890.1230',
  ),
  bytes: fc.uint8Array({ maxLength: 20 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
  time: fc.bigInt({ min: -(10n ** 15n), max: 10n ** 17n }).map((micros) => {
    const whole = micros >= 0n ? micros / 1_000_000n : (micros - 999_999n) / 1_000_000n
    const rest = (micros - whole * 1_000_000n).toString().padStart(6, '0')
    return `${new Date(Number(whole) * 1000).toISOString().slice(0, 19).replace('T', ' ')}.${rest}+00`
  }),
  'text[]': fc.array(fc.option(text, { nil: null, freq: 9 }), { maxLength: 4 }),
}

function rowsOf(log: LogDefinition): fc.Arbitrary<RowText> {
  return fc.record(
    Object.fromEntries(
      Object.entries(log.columns).map(([name, form]) => [name, fc.option(forms[form], { nil: null })]),
    ),
  )
}

const quote = (value: string) => `'${value.replaceAll("'", "''")}'`

function literal(form: keyof typeof types, value: RowText[string]): string {
  if (value === null || value === undefined) return `null::${types[form]}`
  if (typeof value !== 'string')
    return `[${value.map((element) => (element === null ? 'null' : quote(element))).join(', ')}]::varchar[]`
  if (form === 'bytes') return `from_hex(${quote(value.slice(2))})`
  return `${quote(value)}::${types[form]}`
}

async function inDuckDB(log: LogDefinition, rows: readonly RowText[], timezone: string): Promise<unknown[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    await connection.run(`set timezone = ${quote(timezone)}`)
    const columns = Object.entries(log.columns)
    await connection.run(
      `create table r (place integer, ${columns.map(([name, form]) => `"${name}" ${types[form]}`).join(', ')})`,
    )
    for (const [place, row] of rows.entries()) {
      const values = columns.map(([name, form]) => literal(form, row[name]))
      await connection.run(`insert into r values (${[place, ...values].join(', ')})`)
    }
    const entry = duckdbEntrySql(log)
    const reader = await connection.runAndReadAll(
      `select ${entry.hash} as hash from (select place, ${entry.texts} from r) t order by place`,
    )
    return reader.getRows().map(([hash]) => hash)
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

it.each([
  ['UTC', auditLogs],
  ['Asia/Tokyo', securityEvents],
])('is the same in DuckDB (%s) and in TypeScript', async (timezone, log) => {
  const rows = fc.sample(rowsOf(log), { numRuns: 150, seed: 20261121 })
  const hashes = await inDuckDB(log, rows, timezone)
  expect(hashes).toEqual(rows.map((row) => entryHash(log, row).toString('hex')))
})

it('matches the test vector of the specification in DuckDB', async () => {
  const row: RowText = {
    id: '01890a5d-ac96-774b-bcce-b302099a8057',
    created_at: '2026-11-21 05:01:17.402691+00',
    event_type: 'ログイン',
    source_ip: '203.0.113.7',
    event_details: '{"port": 22}',
    salt: `\\x${'00'.repeat(16)}`,
    seq: '7',
  }
  expect(await inDuckDB(securityEvents, [row], 'UTC')).toEqual([
    'ff4944a94b58c60f56d6df80a5c7a4ce9f98f5ed2d1605a87930c0da68a453bd',
  ])
})
