/** The same answer from PostgreSQL, from DuckDB and from the plain evaluator, over generated rules and events. */
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { schemaOf, tableOf } from '../../src/detection/history.ts'
import {
  calendarOf,
  duckdb,
  evaluate,
  Matcher,
  OWN_RULES,
  type PlainEvent,
  parseRules,
  postgresql,
  readRuleFolders,
} from '../../src/detection/index.ts'
import { testDatabase } from '../support/index.ts'

const ROUNDS = 20
const RULES = 20
const EVENTS = 25

const database = testDatabase()
const calendar = calendarOf('Europe/Berlin', ['2026-03-29', '2026-01-01'])

const word = fc.constantFrom(
  'root',
  'Root',
  'ROOT',
  'admin',
  'ab',
  'aab',
  'a.b',
  'a%b',
  'a_b',
  'a!b',
  'a\\b',
  'a*b',
  'é',
  'É',
  'straße',
  'İ',
  '東京',
  '😀x',
  ' a',
  'a\nb',
  "o'x",
  '10.1.2.3',
  '10.200.0.1',
  '192.0.2.7',
  '2001:db8::1',
  'fe80::1',
  '',
  '7',
  '-3',
  '12.50',
  '1e3',
  'true',
  '$1',
  '"q"',
)
const text = fc.oneof(
  word,
  fc.array(word, { minLength: 2, maxLength: 3 }).map((words) => words.join('')),
)
const scalar = fc.oneof(text, fc.integer({ min: -50, max: 50 }), fc.boolean(), fc.constant(null))
const inner = fc.record(
  {
    eventName: scalar,
    errorCode: scalar,
    n: scalar,
    deep: fc.oneof(scalar, fc.record({ k: scalar }), fc.array(text, { maxLength: 2 })),
  },
  { requiredKeys: [] },
)
const event = fc.record({
  event_type: fc.constantFrom('authentication_failure', 'a_b', 'Root'),
  user_name: fc.oneof(text, fc.constant(null)),
  description: fc.oneof(text, fc.constant(null)),
  source_ip: fc.constantFrom(null, '10.1.2.3', '10.200.0.1', '192.0.2.7', '2001:db8::1', 'fe80::1'),
  ocsf_class_uid: fc.constantFrom(null, 3002, 7),
  event_details: fc.record({ cloudtrail: inner, own: scalar }, { requiredKeys: [] }),
  created_at: fc
    .date({
      min: new Date('2025-12-30T00:00:00Z'),
      max: new Date('2026-10-30T00:00:00Z'),
      noInvalidDate: true,
    })
    .map((date) => Math.floor(date.getTime() / 1000) * 1_000_000 + 123_456),
})

const name = fc.constantFrom(
  'user_name',
  'description',
  'event_type',
  'source_ip',
  'ocsf_class_uid',
  'event_details.own',
  'eventName',
  'errorCode',
  'n',
  'deep',
  'deep.k',
)
const pattern = fc.oneof(
  text,
  text.map((each) => `${each}*`),
  text.map((each) => `*${each}?`),
  fc.constantFrom('\\*', 'a\\*b', '?', '*', '\\\\'),
)
const values = fc.oneof(
  pattern,
  fc.constant(null),
  fc.integer({ min: -9, max: 20 }),
  fc.array(pattern, { minLength: 1, maxLength: 3 }),
)
const item = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(
      name,
      fc.constantFrom(
        '',
        '|contains',
        '|startswith',
        '|endswith',
        '|contains|all',
        '|cased',
        '|neq',
        '|contains|cased',
      ),
      values,
    ),
  },
  fc.tuple(name, fc.constantFrom('|lt', '|lte', '|gt', '|gte'), fc.constantFrom(-3, 0, 7, 12.5)),
  fc.tuple(name, fc.constant('|exists'), fc.boolean()),
  fc.tuple(name, fc.constant('|fieldref'), name),
  fc.tuple(
    name,
    fc.constantFrom('|re', '|re|i'),
    fc.constantFrom('^a+', 'r[o0]{2}t', '\\bab\\b', '[^a-z]', '^$', 'a.b', '(?:x|7)$', '\\d+'),
  ),
  fc.tuple(
    fc.constantFrom('user_name', 'source_ip', 'description'),
    fc.constant('|cidr'),
    fc.constantFrom(
      '10.0.0.0/8',
      '10.192.0.0/10',
      '192.0.2.7/32',
      '192.0.2.0/29',
      '2001:db8::/32',
      'fe80::/10',
      '::/128',
    ),
  ),
  fc.tuple(
    fc.constant('created_at'),
    fc.constantFrom('|hour', '|hour|lt', '|hour|gte', '|weekday', '|weekday|gt', '|holiday'),
    fc.integer({ min: 0, max: 23 }),
  ),
)
const selection = fc
  .array(item, { minLength: 1, maxLength: 3 })
  .map((items) => Object.fromEntries(items.map(([field, modifier, value]) => [`${field}${modifier}`, value])))
const detection = fc.record({
  a: selection,
  b: selection,
  keywords: fc.array(
    text.filter((each) => each !== ''),
    { minLength: 1, maxLength: 2 },
  ),
  condition: fc.constantFrom(
    'a',
    'not a',
    'a and not b',
    'a or b',
    'not (a or b)',
    '1 of them',
    'all of them',
    'keywords',
    'a and keywords',
    'not keywords or b',
  ),
})

const columns = [
  ['event_type', 'varchar(50)'],
  ['user_id', 'text'],
  ['user_name', 'text'],
  ['description', 'text'],
  ['source_ip', 'inet'],
  ['ocsf_class_uid', 'integer'],
  ['event_details', 'jsonb'],
] as const

test('10,000 pairs of rule and event', async () => {
  const instance = await DuckDBInstance.create()
  const duck = await instance.connect()
  await duck.run(
    `create table events (id varchar, created_at timestamptz, ${columns.map(([column, type]) => `${column} ${type === 'integer' ? 'integer' : 'varchar'}`).join(', ')})`,
  )
  let pairs = 0
  await database.asSuperuser(async (session) => {
    await session.query(
      `create temporary table events (id uuid, created_at timestamptz, ${columns.map(([column, type]) => `${column} ${type}`).join(', ')})`,
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(detection, { minLength: RULES, maxLength: RULES }),
        fc.array(event, { minLength: EVENTS, maxLength: EVENTS }),
        async (detections, events) => {
          const { rules, refused } = parseRules(
            detections.map((each, at) => ({
              file: `${at}`,
              text: JSON.stringify({
                title: 'x',
                id: `${at}`,
                logsource: { product: at % 2 === 0 ? 'aws' : 'akashi' },
                detection: each,
              }),
            })),
          )
          // Rules of the own source have no fields of CloudTrail at the top; those are in the details.
          expect(refused).toEqual([])
          const matcher = new Matcher('security_events', rules, calendar)
          const identified = events.map((each, at): PlainEvent & { readonly id: string } => ({
            ...each,
            id: `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`,
          }))
          await session.query('delete from pg_temp.events')
          await session.query(
            `insert into pg_temp.events select (e ->> 'id')::uuid, timestamptz 'epoch' + (e ->> 'created_at')::bigint * interval '1 microsecond',
               ${columns.map(([column, type]) => (type === 'jsonb' ? `e -> '${column}'` : `(e ->> '${column}')::${type}`)).join(', ')}
             from jsonb_array_elements($1::jsonb) e`,
            [JSON.stringify(identified)],
          )
          const { rows: copied } = await session.query<Record<string, string | null>>(
            `select id::text, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as created_at, ${columns.map(([column]) => `${column}::text`).join(', ')} from pg_temp.events`,
          )
          await duck.run('delete from events')
          for (const row of copied) {
            const quoted = Object.values(row).map((value) =>
              value === null ? 'null' : `'${value.replaceAll("'", "''")}'`,
            )
            await duck.run(`insert into events values (${quoted.join(', ')})`)
          }
          const expected = new Map<string, string>()
          for (const each of identified) {
            const passed = rules
              .map((rule) => (rule.kind === 'event' && evaluate(rule.expression, each, calendar) ? '1' : '0'))
              .join('')
            if (passed.includes('1')) expected.set(each.id, passed)
          }
          const bound: (string | number)[] = []
          const hot = matcher.select(postgresql, (value) => `$${bound.push(value)}`)
          const fromPostgres = await session.query<{ id: string; passed: string }>(
            `with matched as (select ${hot.columns} from pg_temp.events r) ${hot.where}`,
            bound,
          )
          const cold = matcher.select(duckdb, (value) =>
            typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`,
          )
          const reader = await duck.runAndReadAll(
            `with matched as (select ${cold.columns} from events r) ${cold.where}`,
          )
          const fromDuck = new Map(reader.getRows().map((row) => [String(row[0]), String(row[2])]))
          const hotPassed = new Map(fromPostgres.rows.map((row) => [row.id, row.passed]))
          for (const each of identified) {
            for (const [at, rule] of detections.entries()) {
              const passed = [expected, hotPassed, fromDuck].map((found) => found.get(each.id)?.[at] ?? '0')
              if (new Set(passed).size > 1) {
                throw new Error(
                  `evaluator, PostgreSQL, DuckDB: ${passed.join()} for ${JSON.stringify({ rule, event: each })}`,
                )
              }
            }
          }
          pairs += rules.length * events.length
        },
      ),
      { numRuns: ROUNDS, endOnFailure: true },
    )
  })
  expect(pairs).toBe(ROUNDS * RULES * EVENTS)
}, 600_000)

/** AKASHI_RULES names another folder, such as a copy of SigmaHQ's rules/cloud/aws. */
const FOLDER = process.env['AKASHI_RULES'] ?? OWN_RULES

test('each rule of a folder runs on PostgreSQL and DuckDB', { timeout: 600_000 }, async () => {
  const { rules, refused } = await readRuleFolders([FOLDER])
  const failures = refused.map(({ file, line, reason }) => `${file}:${line}: ${reason}`)
  const instance = await DuckDBInstance.create()
  const duck = await instance.connect()
  await database.asSuperuser(async (session) => {
    for (const [table, schema] of Object.entries(schemaOf)) {
      await session.query(`create temporary table ${table} (like ${schema}.${table} including defaults)`)
      const { rows: described } = await session.query<{ name: string; type: string }>(
        `select attname as name, case atttypid when 'timestamptz'::regtype then 'timestamptz' when 'integer'::regtype then 'integer'
           else 'varchar' end as type from pg_attribute where attrelid = 'pg_temp.${table}'::regclass and attnum > 0`,
      )
      await duck.run(
        `create table ${table} (${described.map(({ name: column, type }) => `"${column}" ${type}`).join(', ')})`,
      )
    }
    const details = JSON.stringify({
      cloudtrail: { eventName: 'StopLogging', userIdentity: { type: 'Root' } },
    })
    await session.query(
      `insert into pg_temp.security_events (event_type, event_category, severity, source_service, description, event_details)
       values ('trail_tampering', 'integrity', 'high', 'cloudtrail.amazonaws.com', 'StopLogging', $1)`,
      [details],
    )
    await duck.run(
      `insert into security_events (id, created_at, event_type, description, event_details)
       values ('00000000-0000-4000-8000-000000000000', now(), 'trail_tampering', 'StopLogging', '${details}')`,
    )
    for (const rule of rules) {
      const matcher = new Matcher(
        tableOf(rule),
        [rule.kind === 'event' ? { ...rule, reports: true } : rule],
        calendar,
      )
      const bound: (string | number)[] = []
      const hot = matcher.select(postgresql, (value) => `$${bound.push(value)}`)
      const cold = matcher.select(duckdb, (value) =>
        typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`,
      )
      try {
        await session.query(
          `with matched as (select ${hot.columns} from pg_temp.${matcher.table} r) ${hot.where}`,
          bound,
        )
        await duck.runAndReadAll(
          `with matched as (select ${cold.columns} from ${matcher.table} r) ${cold.where}`,
        )
      } catch (error) {
        failures.push(`${rule.file}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  })
  if (FOLDER !== OWN_RULES) {
    const all = rules.length + refused.length
    process.stdout.write(
      `${[...failures, `${all - failures.length} of ${all} rules compile and run`].join('\n')}\n`,
    )
  }
  expect(failures).toEqual([])
})
