import { describe, expect, test } from 'vitest'
import {
  calendarOf,
  Matcher,
  OWN_RULES,
  type PlainEvent,
  parseRules,
  type Rule,
  readRuleFolders,
  testRules,
} from '../../src/detection/index.ts'

const calendar = calendarOf('Asia/Tokyo', [])
const MINUTE = 60_000_000
const base = { title: 't', logsource: { product: 'akashi', service: 'security_events' } }
const failure = {
  ...base,
  id: 'f',
  name: 'failure',
  detection: { a: { event_type: 'failure' }, condition: 'a' },
}
const success = {
  ...base,
  id: 's',
  name: 'success',
  detection: { a: { event_type: 'success' }, condition: 'a' },
}
const correlation = (fields: object, own: object = {}) => ({
  title: 'c',
  id: 'c',
  correlation: {
    type: 'event_count',
    rules: ['failure'],
    'group-by': ['source_ip'],
    timespan: '5m',
    condition: { gte: 3 },
    ...fields,
  },
  ...own,
})

function compile(...documents: readonly object[]): Rule[] {
  const { rules, refused } = parseRules([
    { file: 'x', text: documents.map((each) => JSON.stringify(each)).join('\n---\n') },
  ])
  expect(refused).toEqual([])
  return [...rules]
}

type Short = readonly [minute: number, type: string, fields?: Readonly<Record<string, unknown>>]
const eventOf = ([minute, event_type, fields = {}]: Short): PlainEvent => ({
  event_type,
  source_ip: '192.0.2.1',
  ...fields,
  created_at: minute * MINUTE,
})

function find(rules: readonly Rule[], events: readonly Short[], order = [...events.keys()]) {
  const matcher = new Matcher('security_events', rules, calendar)
  for (const at of order) matcher.event(String(at), eventOf(events[at] ?? [0, '']))
  return matcher
    .take()
    .map(({ id, subject, count }) => ({ id, subject, count }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

describe('the pack', async () => {
  const { rules, refused } = await readRuleFolders([OWN_RULES])
  const reporting = rules.filter((rule) => rule.kind === 'correlation' || rule.reports)

  test('compiles, and every test inside it passes', () => {
    expect(refused).toEqual([])
    expect(testRules(rules, 'Asia/Tokyo').filter(({ passed }) => !passed)).toEqual([])
    expect(reporting.length).toBeGreaterThan(50)
  })

  test.each(reporting.map((rule) => [rule.name, rule] as const))(
    '%s is complete in both languages',
    (_name, rule) => {
      expect(rule.titleJa).toMatch(/[\u3040-\u30ff\u4e00-\u9fff]/)
      expect(rule.descriptionJa).toMatch(/[\u3040-\u30ff\u4e00-\u9fff]/)
      expect(rule.description).toMatch(/\.$/)
      expect(rule.attack.length).toBeGreaterThan(0)
      expect(rule.falsePositives.length).toBeGreaterThan(0)
      expect(new Set(rule.tests.map(({ finds }) => finds)).size).toBe(2)
    },
  )
})

describe('a correlation', () => {
  test('counts events of one subject within the time, and not those at its end', () => {
    const rules = compile(failure, correlation({}))
    expect(
      find(rules, [
        [0, 'failure'],
        [2, 'failure'],
        [4.9, 'failure'],
      ]),
    ).toMatchObject([{ subject: { source_ip: '192.0.2.1' }, count: 3 }])
    expect(
      find(rules, [
        [0, 'failure'],
        [2, 'failure'],
        [5, 'failure'],
      ]),
    ).toEqual([])
    expect(
      find(rules, [
        [0, 'failure'],
        [1, 'failure'],
        [2, 'failure', { source_ip: '192.0.2.2' }],
      ]),
    ).toEqual([])
    expect(
      find(
        rules,
        Array.from({ length: 9 }, (): Short => [1, 'failure', { source_ip: null }]),
      ),
    ).toEqual([])
  })

  test('finds the same whatever the order in which events arrive', () => {
    const rules = compile(failure, correlation({}))
    const events = Array.from(
      { length: 40 },
      (_, at): Short => [((at * 7) % 40) * 0.9, 'failure', { source_ip: `192.0.2.${at % 3}` }],
    )
    const sorted = [...events.keys()].sort((a, b) => (events[a]?.[0] ?? 0) - (events[b]?.[0] ?? 0))
    const expected = find(rules, events, sorted).map(({ id }) => id)
    expect(expected.length).toBeGreaterThan(5)
    expect(find(rules, events).map(({ id }) => id)).toEqual(expected)
    expect(find(rules, events, sorted.toReversed()).map(({ id }) => id)).toEqual(expected)
  })

  test.each<[object, readonly Short[], number]>([
    [
      { type: 'value_count', condition: { field: 'user_name', gte: 2 } },
      [
        [0, 'failure', { user_name: 'a' }],
        [1, 'failure', { user_name: 'b' }],
      ],
      1,
    ],
    [
      { type: 'value_count', condition: { field: 'user_name', gte: 2 } },
      [
        [0, 'failure', { user_name: 'a' }],
        [1, 'failure', { user_name: 'a' }],
      ],
      0,
    ],
    [
      { type: 'value_sum', condition: { field: 'event_details.n', gt: 10 } },
      [
        [0, 'failure', { event_details: { n: 6 } }],
        [1, 'failure', { event_details: { n: 5 } }],
      ],
      1,
    ],
    [
      { type: 'value_avg', condition: { field: 'event_details.n', gt: 10 } },
      [
        [0, 'failure', { event_details: { n: 6 } }],
        [1, 'failure', { event_details: { n: 5 } }],
      ],
      0,
    ],
    [
      { type: 'value_percentile', condition: { field: 'event_details.n', percentile: 50, gte: 5 } },
      [
        [0, 'failure', { event_details: { n: 1 } }],
        [1, 'failure', { event_details: { n: 9 } }],
      ],
      1,
    ],
    [
      { type: 'temporal', rules: ['failure', 'success'], condition: undefined },
      [
        [1, 'success'],
        [2, 'failure'],
      ],
      1,
    ],
    [
      { type: 'temporal_ordered', rules: ['failure', 'success'], condition: undefined },
      [
        [1, 'success'],
        [2, 'failure'],
      ],
      0,
    ],
    [
      { type: 'temporal_ordered', rules: ['failure', 'failure', 'success'], condition: undefined },
      [
        [1, 'failure'],
        [2, 'success'],
      ],
      0,
    ],
    [
      { type: 'temporal_ordered', rules: ['failure', 'failure', 'success'], condition: undefined },
      [
        [1, 'failure'],
        [2, 'failure'],
        [3, 'success'],
      ],
      1,
    ],
    [
      { type: 'new_terms', timespan: '7d', condition: { field: 'user_agent' } },
      [
        [0, 'failure', { user_agent: 'a' }],
        [1, 'failure', { user_agent: 'b' }],
      ],
      1,
    ],
    [
      { type: 'new_terms', timespan: '7d', condition: { field: 'user_agent' } },
      [
        [0, 'failure', { user_agent: 'a' }],
        [1, 'failure', { user_agent: 'a' }],
      ],
      0,
    ],
  ])('%j', (fields, events, findings) => {
    expect(find(compile(failure, success, correlation(fields)), events)).toHaveLength(findings)
  })

  test('takes fields by their aliases', () => {
    const aws = {
      ...base,
      id: 'a',
      name: 'aws',
      logsource: { product: 'aws' },
      detection: { a: { eventName: 'X' }, condition: 'a' },
    }
    const fields = {
      type: 'temporal',
      rules: ['failure', 'aws'],
      'group-by': ['ip'],
      condition: undefined,
      aliases: { ip: { failure: 'source_ip', aws: 'sourceIPAddress' } },
    }
    const events: Short[] = [
      [0, 'failure'],
      [1, 'x', { event_details: { cloudtrail: { eventName: 'x', sourceIPAddress: '192.0.2.1' } } }],
    ]
    expect(find(compile(failure, aws, correlation(fields)), events)).toHaveLength(1)
  })

  test('has the threshold and the time that an installation sets', () => {
    const text = [failure, { ...correlation({}), name: 'burst' }]
      .map((each) => JSON.stringify(each))
      .join('\n---\n')
    const { rules } = parseRules([{ file: 'x', text }], { burst: { threshold: 2, timespan: '1m' } })
    expect(
      find(rules, [
        [0, 'failure'],
        [0.5, 'failure'],
      ]),
    ).toHaveLength(1)
    expect(
      find(rules, [
        [0, 'failure'],
        [1, 'failure'],
      ]),
    ).toEqual([])
    expect(parseRules([{ file: 'x', text }], { burst: { off: true } }).rules.map(({ name }) => name)).toEqual(
      ['failure'],
    )
  })
})

test.each([
  ['title: x\nid: 1a\nlogsource:\n  product: windows\n', 4, 'Akashi has no events of windows'],
  [
    'title: x\nid: 1a\nlogsource: {product: akashi}\ndetection:\n  a:\n    nothing_like_it|contains: x\n  condition: b\n',
    7,
    'there is no selection b',
  ],
  [
    'title: x\nid: 1a\nlogsource: {product: akashi}\ndetection:\n  a:\n    user_id|base65: x\n  condition: a\n',
    6,
    'the modifier base65 is not known',
  ],
  [
    'title: x\nid: 1a\nlogsource: {product: akashi}\ndetection:\n  a:\n    user_id|re: "(?=x)"\n  condition: a\n',
    6,
    'look-around',
  ],
  [
    'title: x\nid: 1a\nlogsource: {product: akashi}\ndetection:\n  a: {user_id: 1}\n  condition: a | count() > 5\n',
    6,
    'write a correlation',
  ],
  [
    'title: x\nid: 1a\nlogsource: {product: akashi, service: audit_logs}\ndetection:\n  a:\n    b: 1\n  condition: a\n',
    6,
    'audit_logs has no field b',
  ],
  ['title: x\nid: 1a\ncorrelation:\n  type: event_count\n  rules: [y]\n', 5, 'there is no rule y'],
  ['title: [x\n', 2, ''],
  ['a: &a [x]\nb: *a\n', 1, ''],
])('%j is refused in its line', (text, line, reason) => {
  const { rules, refused } = parseRules([{ file: 'x.yml', text }])
  expect(rules).toEqual([])
  expect(refused).toMatchObject([{ file: 'x.yml', line }])
  expect(refused[0]?.reason).toContain(reason)
})

test('one rule that is refused keeps no other from being used', () => {
  const { rules, refused } = parseRules([
    { file: 'x', text: `${JSON.stringify(failure)}\n---\ntitle: y\n---\n${JSON.stringify(success)}\n` },
  ])
  expect(rules.map(({ id }) => id)).toEqual(['f', 's'])
  expect(refused).toHaveLength(1)
})

test('offsets change with summer time', () => {
  const rules = compile({ ...base, id: 'h', detection: { a: { 'created_at|hour': 3 }, condition: 'a' } })
  const berlin = calendarOf('Europe/Berlin', [])
  const at = (time: string) => {
    const matcher = new Matcher('security_events', rules, berlin)
    matcher.event('1', { created_at: Date.parse(time) * 1000, user_id: 'x' })
    return matcher.take().length
  }
  expect(
    ['2026-03-29T00:59:59Z', '2026-03-29T01:00:00Z', '2026-01-01T02:30:00Z', '2026-07-01T02:30:00Z'].map(at),
  ).toEqual([0, 1, 1, 0])
})
