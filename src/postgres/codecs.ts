import { parseArray } from './array-text.ts'

/**
 * How PostgreSQL's text becomes a JavaScript value, without loss:
 *
 * | type | value |
 * | --- | --- |
 * | bool, int2, int4, oid, float4, float8 | boolean, number |
 * | int8, xid8 | bigint |
 * | json, jsonb | parsed (numbers above 2^53 lose digits: read `::text` where that matters) |
 * | bytea | Buffer |
 * | timestamptz | `2026-11-21T04:05:06.123456Z`, `infinity`, `-infinity`; BC years keep PostgreSQL's ` BC` |
 * | arrays of these | arrays, nested as the dimensions are, null for NULL |
 * | everything else (numeric, date, timestamp, interval, uuid, inet, …) | PostgreSQL's own text |
 */
type Decode = (text: string) => unknown

const MICROSECOND_DIGITS = 6
const timestamptzPattern = /^(\d{4,6}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00( BC)?$/

/** Microseconds are always written out, so that text order is time order between the years 0 and 9999. */
export function decodeTimestamptz(text: string): string {
  const match = timestamptzPattern.exec(text)
  if (match === null) {
    // Infinities, and sessions that are not in UTC: the text is exact with its offset.
    return text
  }
  const [, date, time, fraction = '', era = ''] = match
  return `${date}T${time}.${fraction.padEnd(MICROSECOND_DIGITS, '0')}Z${era}`
}

function decodeBytea(text: string): Buffer {
  if (!text.startsWith('\\x')) {
    throw new Error('bytea_output must be hex')
  }
  return Buffer.from(text.slice(2), 'hex')
}

/** Type OIDs from pg_type.dat; they are fixed for built-in types. */
const scalars: readonly (readonly [type: number, array: number, decode: Decode])[] = [
  [16, 1000, (text) => text === 't'], // bool
  [17, 1001, decodeBytea],
  [20, 1016, BigInt], // int8
  [21, 1005, Number], // int2
  [23, 1007, Number], // int4
  [26, 1028, Number], // oid
  [114, 199, JSON.parse], // json
  [700, 1021, Number], // float4
  [701, 1022, Number], // float8
  [1184, 1185, decodeTimestamptz],
  [3802, 3807, JSON.parse], // jsonb
  [5069, 271, BigInt], // xid8
]

/** Arrays of types whose elements stay text. */
const textArrays: readonly number[] = [
  1002, // char
  1003, // name
  1009, // text
  1014, // bpchar
  1015, // varchar
  1041, // inet
  651, // cidr
  1040, // macaddr
  1115, // timestamp
  1182, // date
  1183, // time
  1187, // interval
  1231, // numeric
  1270, // timetz
  2951, // uuid
  2210, // regclass
  3221, // pg_lsn
]

const identity = (text: string) => text

function decodeArray(decode: Decode): Decode {
  return (text) => parseArray(text, decode)
}

const decoders: ReadonlyMap<number, Decode> = new Map([
  ...scalars.flatMap(([type, array, decode]): [number, Decode][] => {
    return [
      [type, decode],
      [array, decodeArray(decode)],
    ]
  }),
  ...textArrays.map((array): [number, Decode] => [array, decodeArray(identity)]),
])

/** The `types` of every connection; binary results are never requested. */
export const codecs = {
  getTypeParser: (type: number): Decode => decoders.get(type) ?? identity,
}
