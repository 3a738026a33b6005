/** Logs in the forms that programs, daemons and services write, beyond the usual ones. */
import { describe, expect, test } from 'vitest'
import { describeShape, type IngestFormat, type ParseOptions } from '../../src/security/index.ts'
import { other, parseAll, sshd2016 } from './support/parse.ts'

const asOf = new Date('2026-06-01T00:00:00Z')
const sshd: ParseOptions = { format: 'sshd', timezone: 'Asia/Tokyo', year: 2026, asOf }
const read = (options: ParseOptions, input: string) => {
  const { events, rejected } = parseAll(input, options)
  return { events: events.map(({ event }) => event), rejected }
}
const one = (options: ParseOptions, input: unknown) => {
  const text = typeof input === 'string' ? input : JSON.stringify(input)
  const { events, rejected } = read(options, text)
  expect(rejected).toEqual([])
  expect(events).toHaveLength(1)
  const [event] = events
  if (event === undefined) throw new Error('no event')
  return event
}
const json = (format: Exclude<IngestFormat, 'sshd'>, input: unknown) => one(other(format), input)

describe('a line of syslog', () => {
  const said = 'Failed password for root from 192.0.2.7 port 38066 ssh2'
  test.each([
    ['BusyBox', `Apr 28 13:11:39 localhost auth.info sshd[2]: ${said}`, '2026-04-28T04:11:39Z'],
    ['verbose BSD', `Apr 28 13:11:39 <auth.info> localhost sshd[2]: ${said}`, '2026-04-28T04:11:39Z'],
    ['a path', `2026-04-28T13:11:39.5+09:00 h /usr/sbin/sshd[1]: ${said}`, '2026-04-28T04:11:39.5Z'],
    ['a year', `Apr 28 2025 13:11:39 h sshd[1]: ${said}`, '2025-04-28T04:11:39Z'],
    ['Solaris', `Apr 28 13:11:39 h sshd[1]: [ID 800047 auth.info] ${said}`, '2026-04-28T04:11:39Z'],
    ['a split server', `Apr 28 13:11:39 h sshd-session[1]: ${said}`, '2026-04-28T04:11:39Z'],
    ['a TCP frame', `99 <38>1 2026-04-28T04:11:39Z h sshd 1 - - ${said}`, '2026-04-28T04:11:39Z'],
    [
      'RFC 5424 with a path',
      `<38>1 2026-04-28T04:11:39Z h /usr/sbin/sshd 1 - [a b="\\]"] ${said}`,
      '2026-04-28T04:11:39Z',
    ],
    [
      'the journal',
      JSON.stringify({
        __REALTIME_TIMESTAMP: '1777349499000001',
        _HOSTNAME: 'h',
        SYSLOG_IDENTIFIER: 'sshd-session',
        _PID: '7',
        MESSAGE: said,
      }),
      '2026-04-28T04:11:39.000001Z',
    ],
    [
      'the bytes of the journal',
      JSON.stringify({
        __REALTIME_TIMESTAMP: '1777349499000000',
        _COMM: 'sshd',
        MESSAGE: [...Buffer.from(said)],
      }),
      '2026-04-28T04:11:39Z',
    ],
  ])('of %s', (_form, line, time) => {
    expect(one(sshd, line)).toMatchObject({
      event_type: 'authentication_failure',
      source_service: 'sshd',
      user_name: 'root',
      source_ip: '192.0.2.7',
      created_at: time,
    })
  })

  test('with a year of its own leaves the years of the others alone', () => {
    const lines = `Dec 31 23:59:59 h sshd[1]: ${said}\nApr 28 2020 13:11:39 h sshd[1]: ${said}\nJan  1 00:00:01 h sshd[1]: ${said}`
    expect(read(sshd2016, lines).events.map(({ created_at }) => created_at.slice(0, 4))).toEqual([
      '2016',
      '2016',
    ])
    expect(read({ ...sshd2016, asOf }, lines).events.map(({ created_at }) => created_at)).toEqual([
      '2016-12-31T15:59:59Z',
      '2020-04-28T05:11:39Z',
      '2016-12-31T16:00:01Z',
    ])
  })

  test('of a journal without time, or with a broken record, is rejected by itself', () => {
    const good = JSON.stringify({
      __REALTIME_TIMESTAMP: '1777349499000000',
      SYSLOG_IDENTIFIER: 'sshd',
      MESSAGE: said,
    })
    const { events, rejected } = read(sshd, `{"MESSAGE":"x"}\n${good}\n{"MESSAGE`)
    expect(events).toHaveLength(1)
    expect(rejected.map(({ line }) => line)).toEqual([1, 3])
  })
})

describe('a message of sshd', () => {
  test.each<[string, string, string | null, string | null]>([
    [
      'Accepted gssapi-with-mic for alice from 192.0.2.10 port 50022 ssh2: alice@EXAMPLE.COM',
      'authentication_success',
      'alice',
      '192.0.2.10',
    ],
    [
      'Accepted hostbased for d from 192.0.2.11 port 5 ssh2: RSA SHA256:Ab+/, client user "d", client host "ci"',
      'authentication_success',
      'd',
      '192.0.2.11',
    ],
    [
      'error: PAM: Authentication failure for root from host.example.com via 192.0.2.20',
      'pam_authentication_failure',
      'root',
      '192.0.2.20',
    ],
    [
      'ssh_dispatch_run_fatal: Connection from authenticating user root 192.0.2.7 port 40000: message authentication code incorrect [preauth]',
      'connection_probe',
      'root',
      '192.0.2.7',
    ],
    [
      'srclimit_penalise: ipv6: new 2001:db8::7/128 active penalty of 15 seconds for penalty: failed authentication',
      'source_penalised',
      null,
      '2001:db8::7',
    ],
    [
      'Connection from user alice 192.0.2.7 port 33 on 192.0.2.8 port 22',
      'connection_opened',
      'alice',
      '192.0.2.7',
    ],
    [
      'Connection from 192.0.2.7 port 33 on 192.0.2.8 port 22 rdomain ""',
      'connection_opened',
      null,
      '192.0.2.7',
    ],
    [
      'maximum authentication attempts exceeded for root from 192.0.2.7 port 1 ssh2 [preauth]',
      'authentication_limit_exceeded',
      'root',
      '192.0.2.7',
    ],
    [
      'Authentication refused: bad ownership or modes for directory /srv/alice/.ssh',
      'access_denied',
      null,
      null,
    ],
    ['error: Certificate invalid: expired', 'access_denied', null, null],
    [
      'fatal: Access denied for user eve by PAM account configuration [preauth]',
      'access_denied',
      'eve',
      null,
    ],
    [
      'Received disconnect from 2001:db8::1: 11: disconnected by user',
      'connection_disconnected',
      null,
      '2001:db8::1',
    ],
    ['Received disconnect from 2001:db8::1 port 22:11: bye', 'connection_disconnected', null, '2001:db8::1'],
  ])('%s', (message, type, user, source) => {
    const event = one(sshd, `Apr 28 13:11:39 h sshd[1]: ${message}`)
    expect([event.event_type, event.user_name, event.source_ip]).toEqual([type, user, source])
  })

  test('names no address if a client user could have written it', () => {
    const event = one(
      sshd,
      'Apr 28 13:11:39 h sshd[1]: Failed hostbased for a from 192.0.2.1 port 1 ssh2: RSA SHA256:A, client user "x from 198.51.100.9 port 2 ssh2: RSA SHA256:B, client user "y", client host "h"',
    )
    expect(event).toMatchObject({ event_type: 'authentication_failure', source_ip: null, user_name: null })
    expect(event.event_details).toMatchObject({ ambiguous: true })
  })
})

describe('a message of sudo, su or PAM', () => {
  test.each<[string, string, string, string | null, object]>([
    [
      'sudo',
      'alice : TTY=pts/0 ; PWD=/srv/alice ; USER=root ; COMMAND=/bin/sh -c "a ; USER=x"',
      'privileged_command',
      'alice',
      { target_user: 'root', tty: 'pts/0', command: '/bin/sh -c "a ; USER=x"' },
    ],
    [
      'sudo',
      ' alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls',
      'privileged_command_refused',
      'alice',
      { reason: '3 incorrect password attempts' },
    ],
    [
      'sudo',
      '   eve : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls',
      'privileged_command_refused',
      'eve',
      { reason: 'user NOT in sudoers' },
    ],
    [
      'sudo',
      'pam_unix(sudo:auth): authentication failure; logname=a uid=1 euid=0 tty=/dev/pts/0 ruser=a rhost=  user=a',
      'pam_authentication_failure',
      'a',
      {},
    ],
    ['su', '(to root) alice on pts/0', 'user_switched', 'alice', { target_user: 'root' }],
    ['su', 'FAILED SU (to root) eve on pts/0', 'user_switch_failed', 'eve', { target_user: 'root' }],
    ['su', 'BAD SU eve to root on /dev/pts/0', 'user_switch_failed', 'eve', { target_user: 'root' }],
    ['su', 'Successful su for root by alice', 'user_switched', 'alice', { target_user: 'root' }],
    [
      'su',
      'pam_unix(su:session): session opened for user root(uid=0) by alice(uid=1000)',
      'session_opened',
      'root',
      { by: 'alice' },
    ],
    [
      'login',
      'pam_unix(login:session): session opened for user bob(uid=7) by LOGIN(uid=0)',
      'session_opened',
      'bob',
      {},
    ],
  ])('%s: %s', (program, message, type, user, details) => {
    const event = one(sshd, `Apr 28 13:11:39 h ${program}[1]: ${message}`)
    expect(event).toMatchObject({ event_type: type, user_name: user, source_service: program })
    expect(event.event_details).toMatchObject(details)
  })

  test('with the tag of Linux-PAM before 1.0', () => {
    const event = one(
      sshd,
      'Jan 14 15:16:01 c sshd(pam_unix)[9]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=192.0.2.21 ',
    )
    expect(event).toMatchObject({
      event_type: 'pam_authentication_failure',
      source_service: 'sshd',
      source_ip: '192.0.2.21',
    })
  })

  test('of scheduled work is no login', () => {
    expect(
      read(sshd, 'Apr 28 13:11:39 h CRON[1]: pam_unix(cron:session): session opened for user root').rejected,
    ).toHaveLength(1)
  })
})

describe('CloudTrail', () => {
  const base = { eventSource: 'signin.amazonaws.com', eventTime: '2026-01-01T00:00:00Z', eventID: 'e' }
  const person = { type: 'IdentityCenterUser', onBehalfOf: { userId: '5448' } }
  test.each<[object, string, string, string | null]>([
    [
      {
        eventName: 'UserAuthentication',
        userIdentity: person,
        serviceEventDetails: { UserAuthentication: 'Failure' },
        additionalEventData: { UserName: 'eve' },
      },
      'authentication_failure',
      'failure',
      'eve',
    ],
    [
      {
        eventName: 'CredentialVerification',
        userIdentity: person,
        serviceEventDetails: { CredentialVerification: 'Failure' },
      },
      'authentication_failure',
      'failure',
      null,
    ],
    [
      {
        eventName: 'CredentialVerification',
        userIdentity: person,
        serviceEventDetails: { CredentialVerification: 'Success' },
      },
      'authentication_step',
      'success',
      null,
    ],
    [
      { eventName: 'CheckMfa', userIdentity: { userName: 'eve' }, responseElements: { CheckMfa: 'Failure' } },
      'authentication_failure',
      'failure',
      'eve',
    ],
    [
      {
        eventName: 'SwitchRole',
        userIdentity: { arn: 'arn:aws:sts::1:assumed-role/R/e' },
        responseElements: { SwitchRole: 'Failure' },
      },
      'access_denied',
      'failure',
      null,
    ],
    [
      {
        eventName: 'GetObject',
        eventSource: 's3.amazonaws.com',
        userIdentity: { arn: 'arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_1/eve@example.com' },
      },
      'api_read',
      'success',
      'eve@example.com',
    ],
    [{ eventName: 'DescribeInstances', eventSource: 'ec2.amazonaws.com' }, 'api_read', 'success', null],
    [{ eventName: 'DeleteLogGroup', eventSource: 'logs.amazonaws.com' }, 'trail_tampering', 'success', null],
    [
      {
        eventName: 'InitiateAuth',
        eventSource: 'cognito-idp.amazonaws.com',
        errorCode: 'NotAuthorizedException',
        additionalEventData: { sub: 's' },
      },
      'authentication_failure',
      'failure',
      null,
    ],
  ])('%o', (fields, type, result, user) => {
    expect(json('cloudtrail', { ...base, ...fields })).toMatchObject({
      event_type: type,
      result,
      user_name: user,
    })
  })

  const record = { ...base, eventName: 'ConsoleLogin', responseElements: { ConsoleLogin: 'Failure' } }
  test.each([
    [
      'lookup-events',
      JSON.stringify({ Events: [{ EventId: 'e', CloudTrailEvent: JSON.stringify(record) }] }, null, 4),
    ],
    [
      'lookup-events with a token',
      JSON.stringify({ NextToken: 'x', Events: [{ CloudTrailEvent: JSON.stringify(record) }] }),
    ],
    ['a pretty document', JSON.stringify({ Records: [record] }, null, 2)],
    ['a pretty record', JSON.stringify(record, null, 2)],
    [
      'EventBridge',
      JSON.stringify({ version: '0', 'detail-type': 'AWS Console Sign In via CloudTrail', detail: record }),
    ],
    ['CloudWatch Logs', JSON.stringify({ events: [{ message: JSON.stringify(record) }] })],
  ])('in the shape of %s', (_shape, text) => {
    for (const portion of [1, 7, 65_536]) {
      const { events, rejected } = parseAll(text, other('cloudtrail'), portion)
      expect(rejected).toEqual([])
      expect(events.map(({ event }) => event.event_type)).toEqual(['authentication_failure'])
    }
  })

  test('names a digest', () => {
    const digest = { digestStartTime: '2026-01-01T00:00:00Z', logFiles: [] }
    expect(read(other('cloudtrail'), JSON.stringify(digest)).rejected[0]?.reason).toMatch(/digest/)
  })
})

describe('OCSF', () => {
  test('of a change in a group, the actor is who made it', () => {
    const change = {
      class_uid: 3006,
      activity_id: 3,
      time: 1_767_225_600_000,
      actor: { user: { name: 'boss' } },
      user: { name: 'newcomer' },
      group: { uid: 'g' },
    }
    expect(json('ocsf', change)).toMatchObject({ user_name: 'boss', resource_type: 'group' })
    expect(json('ocsf', { ...change, class_uid: 3003 })).toMatchObject({
      user_name: 'boss',
      resource_type: 'user',
    })
  })

  test.each([1_767_225_600, 1_767_225_600_000, 1_767_225_600_000_000, '1767225600000000000'])(
    'time %s',
    (time) => {
      expect(json('ocsf', `{"class_uid":3002,"time":${time}}`).created_at).toBe('2026-01-01T00:00:00Z')
    },
  )

  test('a damaged pretty object spoils no other', () => {
    const good = JSON.stringify({ class_uid: 3002, time: 1_767_225_600_000 }, null, 2)
    const { events, rejected } = read(other('ocsf'), `${good}\n{\n  "class_uid": 3002,\n${good}\n`)
    expect(events).toHaveLength(2)
    expect(rejected).toHaveLength(1)
  })
})

describe('Keycloak and Cognito', () => {
  test('a failed login', () => {
    expect(
      json('keycloak', {
        id: 'k',
        time: 1_767_225_600_000,
        type: 'LOGIN_ERROR',
        realmId: 'r',
        clientId: 'app',
        userId: 'u',
        ipAddress: '192.0.2.1',
        error: 'invalid_user_credentials',
        details: { username: 'bob' },
      }),
    ).toMatchObject({
      event_type: 'authentication_failure',
      result: 'failure',
      user_name: 'bob',
      source_ip: '192.0.2.1',
      tenant_id: 'r',
      client_id: 'app',
    })
    expect(
      json('cognito', {
        eventTimestamp: '1767225600000',
        message: {
          eventId: 'c',
          eventType: 'SignIn',
          userName: 'bob',
          userSub: 's',
          userPoolId: 'p',
          eventResponse: 'Fail',
          riskLevel: 'High',
          ipAddress: '192.0.2.1',
        },
      }),
    ).toMatchObject({
      event_type: 'authentication_failure',
      severity: 'high',
      user_name: 'bob',
      source_ip: '192.0.2.1',
      tenant_id: 'p',
    })
  })

  test('an administrator grants a role', () => {
    expect(
      json('keycloak', {
        time: 1_767_225_600_000,
        operationType: 'CREATE',
        resourceType: 'REALM_ROLE_MAPPING',
        resourcePath: 'users/u/role-mappings/realm',
        authDetails: { userId: 'a', ipAddress: '192.0.2.2' },
      }),
    ).toMatchObject({ event_type: 'role_granted', external_user_id: 'a', source_ip: '192.0.2.2' })
  })
})

describe('PostgreSQL', () => {
  const csv = (
    severity: string,
    state: string,
    message: string,
    user = 'app',
    time = '2026-01-01 09:00:00.123 JST',
  ) =>
    `${time},"${user}","shop",42,"[::1]:5000",6955.2a,7,"SELECT",${time},3/4,0,${severity},${state},"${message.replaceAll('"', '""')}",,,,,,,,,"psql","client backend",,0`
  const log = (text: string, timezone?: string) =>
    one({ format: 'postgresql', asOf, ...(timezone === undefined ? {} : { timezone }) }, text)

  test.each<[string, string, object]>([
    [
      csv('FATAL', '28P01', 'password authentication failed for user "app"'),
      'authentication_failure',
      { result: 'failure' },
    ],
    [csv('LOG', '00000', 'connection authorized: user=app database=shop'), 'authentication_success', {}],
    [csv('ERROR', '42501', 'permission denied for table secret'), 'access_denied', { result: 'failure' }],
    [
      csv(
        'LOG',
        '00000',
        'AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.card,"select *\nfrom card, ""x""",<not logged>',
      ),
      'data_access',
      { resource_type: 'table', resource_id: 'public.card', action_performed: 'SELECT' },
    ],
    [csv('LOG', '00000', 'AUDIT: SESSION,1,1,ROLE,GRANT,,,grant a to b,<none>'), 'permission_changed', {}],
    [csv('LOG', '00000', 'statement: drop table card'), 'schema_changed', {}],
    [
      csv('LOG', '00000', 'parameter "log_statement" changed to "none"'),
      'configuration_changed',
      { resource_id: 'log_statement' },
    ],
  ])('%s', (text, type, fields) => {
    expect(log(text)).toMatchObject({
      event_type: type,
      user_name: 'app',
      source_ip: '::1',
      created_at: '2026-01-01T00:00:00.123Z',
      ...fields,
    })
  })

  test('the same from a jsonlog', () => {
    const record = {
      timestamp: '2026-01-01 00:00:00.123 UTC',
      user: 'app',
      remote_host: '192.0.2.1',
      error_severity: 'FATAL',
      state_code: '28P01',
      message: 'password authentication failed for user "app"',
    }
    expect(log(JSON.stringify(record))).toMatchObject({
      event_type: 'authentication_failure',
      source_ip: '192.0.2.1',
    })
  })

  test('a password in a statement is left out', () => {
    const event = log(csv('LOG', '00000', `statement: alter role app password 'open ''sesame'`))
    expect(JSON.stringify(event)).not.toContain('sesame')
    expect(event.event_type).toBe('permission_changed')
  })

  test('an ambiguous zone needs a name', () => {
    const text = csv('ERROR', '42501', 'no', 'app', '2026-01-01 09:00:00.000 CST')
    expect(read({ format: 'postgresql', asOf }, text).rejected[0]?.reason).toContain('--timezone')
    expect(log(text, 'Asia/Shanghai').created_at).toBe('2026-01-01T01:00:00Z')
  })
})

test.each([
  ['', 'empty'],
  ['time,user,ip\n2026-01-01,root,192.0.2.7\n', 'CSV'],
  ['{"digestStartTime":1}', 'digest'],
  ['{\n "class_uid": 1}', '--format ocsf'],
  ['<?xml version="1.0"?>', 'XML'],
  ['PK\u0003\u0004', 'ZIP'],
  ['CEF:0|x', 'CEF'],
  ['192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1', 'web server'],
  ['{"a":1,"b":2}', 'fields a, b'],
])('the shape of %s is told', (head, shape) => {
  expect(describeShape(Buffer.from(head))).toContain(shape)
})
