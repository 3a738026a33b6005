import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()

async function roundTrip(type: string, value: unknown): Promise<unknown> {
  return (await roundTrips(type, [value]))[0]
}

/** Sends each value as a parameter of the type and reads it back. */
async function roundTrips(type: string, values: readonly unknown[]): Promise<unknown[]> {
  return await database.open('app', { poolSize: 1 }).transaction(tester, async (session) => {
    const seen: unknown[] = []
    for (const value of values) {
      const { rows } = await session.query<{ value: unknown }>(`select $1::${type} as value`, [value])
      seen.push(rows[0]?.value)
    }
    return seen
  })
}

async function expectLossless(type: string, values: fc.Arbitrary<unknown>): Promise<void> {
  const sample = fc.sample(values, { numRuns: 200 })
  expect(await roundTrips(type, sample)).toEqual(sample)
}

/** Without U+0000, which PostgreSQL's text does not hold, and without halves of surrogate pairs. */
const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'))
const int8 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const microseconds = fc.integer({ min: 0, max: 999_999 }).map((value) => String(value).padStart(6, '0'))
const timestamptz = fc
  .tuple(
    fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
    microseconds,
  )
  .map(([date, fraction]) => `${date.toISOString().slice(0, 19)}.${fraction}Z`)

describe('values come back as they were sent', () => {
  test.each<[type: string, values: fc.Arbitrary<unknown>]>([
    ['int8', int8],
    ['int8[]', fc.array(fc.option(int8))],
    ['int4', fc.integer()],
    // The driver writes -0 as 0.
    ['float8', fc.double().filter((value) => !Object.is(value, -0))],
    ['bool', fc.boolean()],
    ['numeric', fc.tuple(int8, fc.nat()).map(([whole, part]) => `${whole}.${part}`)],
    ['numeric[]', fc.array(int8.map(String))],
    ['text', text],
    ['text[]', fc.array(fc.option(text))],
    ['uuid', fc.uuid()],
    ['uuid[]', fc.array(fc.uuid())],
    ['bytea', fc.uint8Array().map((bytes) => Buffer.from(bytes))],
    ['bytea[]', fc.array(fc.uint8Array().map((bytes) => Buffer.from(bytes)))],
    ['timestamptz', timestamptz],
    ['timestamptz[]', fc.array(timestamptz)],
  ])('%s', (type, values) => expectLossless(type, values))

  test('jsonb, as long as numbers fit', async () => {
    const values = fc
      .sample(fc.jsonValue(), { numRuns: 200, seed: 20_261_121 })
      .filter((value) => !JSON.stringify(value).includes('\\u0000'))
    const seen = await roundTrips(
      'jsonb',
      values.map((value) => JSON.stringify(value)),
    )
    expect(seen).toEqual(values.map((value) => JSON.parse(JSON.stringify(value))))
  })
})

test.each([
  ['timestamptz', 'infinity', 'infinity'],
  ['timestamptz', '-infinity', '-infinity'],
  ['timestamptz', '0044-03-15 12:00:00.000001+00 BC', '0044-03-15T12:00:00.000001Z BC'],
  ['timestamptz', '294276-12-31 23:59:59.999999+00', '294276-12-31T23:59:59.999999Z'],
  ['timestamptz', '2026-11-21 13:00:00+09', '2026-11-21T04:00:00.000000Z'],
  ['date', '5874897-12-31', '5874897-12-31'],
  ['date', 'infinity', 'infinity'],
  ['timestamp', '2026-11-21 04:00:00.5', '2026-11-21 04:00:00.5'],
  ['interval', '1 day 2 hours', 'P1DT2H'],
  ['numeric', 'NaN', 'NaN'],
  ['float8', 'NaN', Number.NaN],
  ['float8', '-Infinity', Number.NEGATIVE_INFINITY],
  ['inet', '2001:db8::1/64', '2001:db8::1/64'],
  ['inet[]', '{192.0.2.1,NULL}', ['192.0.2.1', null]],
  ['int4[]', '[-1:0]={1,2}', [1, 2]],
  [
    'int4[]',
    '{{1,2},{3,NULL}}',
    [
      [1, 2],
      [3, null],
    ],
  ],
  ['text[]', '{"NULL",NULL,"",a\\ b,"{},\\"\\\\"}', ['NULL', null, '', 'a b', '{},"\\']],
  ['json', '{"b": 1, "a": [null]}', { b: 1, a: [null] }],
])('%s %s', async (type, given, expected) => {
  expect(await roundTrip(type, given)).toEqual(expected)
})

test('a timestamp that was read can be sent again', async () => {
  const given = '0044-03-15 12:00:00.000001+00 BC'
  const read = await roundTrip('timestamptz', given)
  expect(await roundTrip('timestamptz', read)).toBe(read)
})
