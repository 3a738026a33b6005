import { Verbatim } from './json-text.ts'

/** Characters of a text that is longer than anything may be, but fits a request. */
const LONG_TEXT = 100_000
const MANY = 10_000

/** Texts that break what takes them for harmless, wherever a text is taken. */
export const hostileTexts: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'x\udc00y',
  '\u202eadmin',
  '\u{1f468}\u200d\u{1f469}\ufe0f',
  'カ\u3099〜～',
  "'; select pg_sleep(60); --",
  '%',
  '_\\',
  '../../../etc/passwd',
  '$1$$&',
  '__proto__',
  'constructor',
  'null',
  'NaN',
  'infinity',
  '-infinity',
  'epoch',
  'now',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999999Z',
  '+275760-09-13T00:00:00.000Z',
  '-271821-04-20T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '1e999',
  '9'.repeat(40),
  '-1',
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  '{00000000-0000-7000-8000-000000000000}',
  'x'.repeat(256),
  '\u{1f600}'.repeat(1_025),
  'x'.repeat(LONG_TEXT),
]

/** What a member of a document may turn out to be. */
export const hostileValues: readonly unknown[] = [
  ...hostileTexts,
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  new Verbatim('1e999'),
  new Verbatim('-1e999'),
  new Verbatim('1e-999'),
  new Verbatim('9'.repeat(400)),
  new Verbatim('"\\ud800"'),
  new Verbatim('"\\u0000"'),
  [],
  [null],
  [[[[]]]],
  Array<number>(MANY).fill(0),
  {},
  new Verbatim('{"__proto__":{"isAdmin":true}}'),
  new Verbatim('{"constructor":{"prototype":{"isAdmin":true}}}'),
  new Verbatim('{"a":1,"a":2}'),
  new Verbatim('{"toString":1,"valueOf":1,"toJSON":1,"then":1,"length":1e9}'),
  { '\0': '\0', '\ud800': '\ud800' },
  Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`m${index}`, index])),
  nested(100),
]

function nested(levels: number): unknown {
  return levels === 0 ? 1 : { a: [nested(levels - 1)] }
}

/** Parts of a path or a query as they stand in the request line, encoded by hand. */
export const hostilePieces: readonly string[] = [
  '%00',
  '%ff%fe',
  '%ed%a0%80',
  '%',
  '%2',
  '%zz',
  '%2e%2e%2f%2e%2e%2f',
  '%252e',
  '%0d%0aset-cookie:%20a=b',
  '..;',
  '%u0041',
  'x'.repeat(8_000),
]
