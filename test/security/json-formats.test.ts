import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { IngestFormat } from '../../src/security/index.ts'
import { other, parseAll } from './support/parse.ts'

type JsonFormat = Exclude<IngestFormat, 'sshd'>
const read = (format: JsonFormat, input: unknown) =>
  parseAll(typeof input === 'string' ? input : JSON.stringify(input), other(format))
const event = (format: JsonFormat, input: unknown) => {
  const { events, rejected } = read(format, input)
  expect(rejected).toEqual([])
  const found = events[0]?.event
  if (found === undefined) throw new Error('no event')
  return found
}
const reason = (format: JsonFormat, input: unknown) => read(format, input).rejected[0]?.reason

const own = {
  event_type: 'login',
  event_category: 'authentication',
  severity: 'high',
  source_service: 'api',
  source_ip: '::ffff:192.0.2.1',
  event_details: { n: 1 },
  created_at: '2026-01-01T09:00:00.5+09:00',
}

describe('events in Akashi’s own field names', () => {
  test('are taken with every field that is given and null for the rest', () => {
    expect(event('json', own)).toMatchObject({
      event_type: 'login',
      source_ip: '192.0.2.1',
      user_id: null,
      created_at: '2026-01-01T00:00:00.5Z',
      event_details: { n: 1, ingest: { format: 'json', line: 1 } },
    })
  })

  test.each([
    [{ ...own, severity: 'urgent' }, /^severity: /],
    [{ ...own, evnt_type: 'x' }, /evnt_type/],
    [{ ...own, source_ip: 'ns.example.com' }, /^source_ip: not an IP address/],
    [{ ...own, created_at: '2026-01-01T00:00:00' }, /^created_at: not a time with an offset/],
    [{ ...own, created_at: undefined }, /^created_at: /],
    [{ ...own, event_type: 'x'.repeat(51) }, /^event_type: /],
    [{ ...own, user_id: 'x'.repeat(256) }, /^user_id: /],
    [{ ...own, event_details: [1] }, /^event_details: /],
    [{ ...own, event_details: { ingest: 1 } }, /^event_details.ingest: /],
    [{ ...own, created_at: '2026-07-01T00:00:00Z' }, /^at 2026-07-01T00:00:00Z, not before/],
    ['{"a":', /^not valid JSON$/],
    ['"text"', /^not a JSON object$/],
    [`{"event_details":${'{"a":'.repeat(100)}1${'}'.repeat(101)}`, /^nested deeper than 64 levels$/],
    ['['.repeat(500_000), /./],
  ])('%# is rejected with its reason', (input, expected) => {
    expect(reason('json', input)).toMatch(expected)
  })

  test('one bad line does not touch its neighbours', () => {
    const { events, rejected } = read('json', `${JSON.stringify(own)}\n{"a":\n${JSON.stringify(own)}`)
    expect(events.map(({ line }) => line)).toEqual([1, 3])
    expect(rejected).toEqual([{ line: 2, reason: 'not valid JSON' }])
  })

  test('a declared range of time bounds what is taken', () => {
    const options = {
      ...other('json'),
      earliest: new Date('2026-01-01T00:00:00.500Z'),
      before: new Date('2026-01-02T00:00:00Z'),
    }
    const at = (created_at: string) => parseAll(JSON.stringify({ ...own, created_at }), options).accepted
    expect(
      [
        '2026-01-01T00:00:00.4999Z',
        '2026-01-01T00:00:00.5Z',
        '2026-01-01T23:59:59.999999Z',
        '2026-01-02T00:00:00Z',
      ].map(at),
    ).toEqual([0, 1, 1, 0])
  })

  test('what PostgreSQL cannot store is replaced, and numbers keep every digit', () => {
    const line = String.raw`{"event_type":"a","event_category":"system","severity":"info","source_service":"s","created_at":"2026-01-01T00:00:00Z","user_name":"a\u0000b\ud800","event_details":{"k\u0000":["\udc00x"],"big":12345678901234567890,"exact":0.10000000000000000001,"huge":1e999999,"tiny":1e-999999}}`
    const found = event('json', line)
    expect(found.user_name).toBe('a\u2400b\ufffd')
    expect(JSON.stringify(found.event_details)).toBe(
      '{"k\u2400":["\ufffdx"],"big":12345678901234567890,"exact":0.10000000000000000001,"huge":"1e999999","tiny":"1e-999999","ingest":{"format":"json","line":1}}',
    )
  })
})

describe('OCSF', () => {
  const ocsf = {
    class_uid: 3002,
    activity_id: 1,
    severity_id: 4,
    status_id: 2,
    time: 1_767_225_600_500,
    metadata: { uid: 'u1', product: { name: 'Okta' }, tenant_uid: 't', correlation_uid: 'c' },
    src_endpoint: { ip: '2001:DB8::1' },
    user: { name: 'ann', uid: '00u1' },
    message: 'no',
    vendor_field: { kept: true },
  }

  test('maps a failed logon and keeps the whole event', () => {
    expect(event('ocsf', ocsf)).toMatchObject({
      event_type: 'authentication_failure',
      event_category: 'authentication',
      severity: 'high',
      result: 'failure',
      source_service: 'Okta',
      user_name: 'ann',
      external_user_id: '00u1',
      source_ip: '2001:db8::1',
      tenant_id: 't',
      trace_id: 'c',
      description: 'no',
      ocsf_class_uid: 3002,
      created_at: '2026-01-01T00:00:00.5Z',
      event_details: { ocsf },
    })
  })

  test.each([
    [{ class_uid: 3002, activity_id: 2 }, 'session_closed', 'authentication'],
    [{ class_uid: 3001, activity_id: 9 }, 'account_locked', 'configuration'],
    [{ class_uid: 3004, activity_id: 4 }, 'entity_deleted', 'configuration'],
    [{ class_uid: 3006, activity_id: 3 }, 'group_user_added', 'authorization'],
    [{ class_uid: 6003, activity_id: 2 }, 'api_read', 'data_access'],
    [{ class_uid: 4001, activity_id: 1 }, 'ocsf_4001', 'network'],
    [{ class_uid: 2004, activity_id: 1 }, 'ocsf_2004', 'system'],
  ])('%o is %s', (fields, type, category) => {
    const plain = { time: 0, status_id: 1, ...fields }
    expect(event('ocsf', plain)).toMatchObject({
      event_type: type,
      event_category: category,
      ocsf_class_uid: fields.class_uid,
    })
  })

  test('of an account change the actor is the user and the account the resource', () => {
    const change = { ...ocsf, class_uid: 3001, activity_id: 1, actor: { user: { name: 'admin', uid: 'a' } } }
    expect(event('ocsf', change)).toMatchObject({
      user_name: 'admin',
      resource_type: 'user',
      resource_id: '00u1',
    })
  })

  test('a class and a time it must have', () => {
    expect(reason('ocsf', { time: 1 })).toMatch(/^class_uid/)
    expect(reason('ocsf', { class_uid: 3002 })).toMatch(/^time/)
    expect(reason('ocsf', { class_uid: 3002, time: 1e17 })).toMatch(/^time/)
  })

  test('whatever JSON it is, it is an event or has a reason', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom('json', 'ocsf', 'cloudtrail'), (text, format) => {
        const { read: lines, accepted, rejected } = read(format as JsonFormat, `${text}\n`)
        expect(accepted + rejected.length).toBe(lines)
      }),
    )
    const field = fc.constantFrom(
      'class_uid',
      'time',
      'user',
      'metadata',
      'src_endpoint',
      'severity_id',
      'resources',
    )
    fc.assert(
      fc.property(fc.dictionary(field, fc.jsonValue()), (fields) => {
        expect(read('ocsf', { class_uid: 6003, time: 1, ...fields }).read).toBe(1)
      }),
    )
  })
})

describe('CloudTrail', () => {
  const record = {
    eventVersion: '1.09',
    eventID: 'b7ea2b2c-0000-4000-8000-000000000000',
    eventTime: '2026-01-01T00:00:00Z',
    eventSource: 'signin.amazonaws.com',
    eventName: 'ConsoleLogin',
    sourceIPAddress: '192.0.2.1',
    userAgent: 'Mozilla',
    userIdentity: { type: 'IAMUser', userName: 'ann', arn: 'arn:aws:iam::1:user/ann', accountId: '1' },
    responseElements: { ConsoleLogin: 'Failure' },
    recipientAccountId: '1',
  }

  test('maps a failed login and keeps the whole record', () => {
    expect(event('cloudtrail', record)).toMatchObject({
      event_type: 'authentication_failure',
      event_category: 'authentication',
      result: 'failure',
      source_service: 'signin',
      user_name: 'ann',
      external_user_id: 'arn:aws:iam::1:user/ann',
      source_ip: '192.0.2.1',
      action_performed: 'signin:ConsoleLogin',
      tenant_id: '1',
      ocsf_class_uid: 3002,
      event_details: { cloudtrail: record },
    })
  })

  test.each([
    [
      { eventName: 'StopLogging', eventSource: 'cloudtrail.amazonaws.com' },
      'trail_tampering',
      'integrity',
      'high',
    ],
    [{ eventName: 'GetObject', errorCode: 'AccessDenied' }, 'access_denied', 'authorization', 'medium'],
    [{ eventName: 'GetObject', readOnly: true }, 'api_read', 'data_access', 'info'],
    [{ eventName: 'PutObject', eventCategory: 'Data' }, 'api_write', 'data_access', 'info'],
    [{ eventName: 'RunInstances' }, 'api_write', 'configuration', 'info'],
    [
      { eventName: 'CreateUser', eventSource: 'iam.amazonaws.com' },
      'account_changed',
      'configuration',
      'medium',
    ],
    [
      { eventName: 'AttachRolePolicy', eventSource: 'iam.amazonaws.com' },
      'permission_changed',
      'configuration',
      'medium',
    ],
    [{ eventName: 'AssumeRole', eventSource: 'sts.amazonaws.com' }, 'role_assumed', 'authentication', 'info'],
    [
      { eventName: 'ConsoleLogin', userIdentity: { type: 'Root' } },
      'authentication_success',
      'authentication',
      'high',
    ],
  ])('%o', (fields, type, category, severity) => {
    expect(event('cloudtrail', { ...record, responseElements: null, ...fields })).toMatchObject({
      event_type: type,
      event_category: category,
      severity,
    })
  })

  test('the name of a service where an address is expected leaves the address empty', () => {
    const found = event('cloudtrail', { ...record, sourceIPAddress: 'AWS Internal' })
    expect(found.source_ip).toBeNull()
    expect(found.event_details).toMatchObject({ cloudtrail: { sourceIPAddress: 'AWS Internal' } })
  })
})
