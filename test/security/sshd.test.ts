import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { findRealLog, parseAll, sshd2016, tally } from './support/parse.ts'

const say = (message: string, program = 'sshd[24200]') =>
  parseAll(`Dec 10 06:55:46 LabSZ ${program}: ${message}`, sshd2016)
const only = (message: string) => {
  const { events, rejected } = say(message)
  expect(rejected).toEqual([])
  expect(events).toHaveLength(1)
  const event = events[0]?.event
  if (event === undefined) throw new Error('no event')
  return event
}
const found = (message: string) => {
  const { event_type, user_name, source_ip } = only(message)
  return [event_type, user_name, source_ip]
}

describe('messages of sshd', () => {
  test.each<[string, string, string | null, string | null]>([
    ['Failed password for root from 192.0.2.1 port 42 ssh2', 'authentication_failure', 'root', '192.0.2.1'],
    [
      'Failed password for invalid user  0101 from 192.0.2.1 port 42 ssh2',
      'authentication_failure',
      ' 0101',
      '192.0.2.1',
    ],
    [
      'Failed password for invalid user  from 192.0.2.1 port 42 ssh2',
      'authentication_failure',
      null,
      '192.0.2.1',
    ],
    ['Failed none for invalid user 0 from 192.0.2.1 port 42 ssh2', 'authentication_probe', '0', '192.0.2.1'],
    [
      'Failed publickey for git from 2001:db8::1 port 42 ssh2: RSA SHA256:abc/+',
      'authentication_failure',
      'git',
      '2001:db8::1',
    ],
    [
      'Failed keyboard-interactive/pam for a from ::ffff:192.0.2.1 port 1 ssh2 [preauth]',
      'authentication_failure',
      'a',
      '192.0.2.1',
    ],
    [
      'Accepted password for fztu from 192.0.2.1 port 49116 ssh2',
      'authentication_success',
      'fztu',
      '192.0.2.1',
    ],
    [
      'Accepted publickey for a from fe80::1%eth0 port 1 ssh2: ED25519-CERT SHA256:x ID me (serial 1) CA RSA SHA256:y',
      'authentication_success',
      'a',
      'fe80::1',
    ],
    ['Invalid user webmaster from 192.0.2.1', 'invalid_user', 'webmaster', '192.0.2.1'],
    ['Invalid user a b from 192.0.2.1 port 22', 'invalid_user', 'a b', '192.0.2.1'],
    ['Connection closed by 192.0.2.1 [preauth]', 'connection_closed', null, '192.0.2.1'],
    [
      'Connection closed by authenticating user root 192.0.2.1 port 22 [preauth]',
      'connection_closed',
      'root',
      '192.0.2.1',
    ],
    ['Connection reset by invalid user x 192.0.2.1 port 22 [preauth]', 'connection_closed', 'x', '192.0.2.1'],
    [
      'Received disconnect from 192.0.2.1: 11: Bye Bye [preauth]',
      'connection_disconnected',
      null,
      '192.0.2.1',
    ],
    [
      'Received disconnect from 192.0.2.1 port 22:11:  [preauth]',
      'connection_disconnected',
      null,
      '192.0.2.1',
    ],
    [
      'error: Received disconnect from 192.0.2.1: 3: com.jcraft.jsch.JSchException: Auth fail [preauth]',
      'connection_disconnected',
      null,
      '192.0.2.1',
    ],
    ['Disconnected from user bob 192.0.2.1 port 22', 'connection_disconnected', 'bob', '192.0.2.1'],
    [
      'Disconnecting: Too many authentication failures for root [preauth]',
      'authentication_limit_exceeded',
      'root',
      null,
    ],
    [
      'Disconnecting authenticating user root 192.0.2.1 port 22: Too many authentication failures [preauth]',
      'connection_disconnected',
      'root',
      '192.0.2.1',
    ],
    [
      'error: maximum authentication attempts exceeded for invalid user a from 192.0.2.1 port 22 ssh2 [preauth]',
      'authentication_limit_exceeded',
      'a',
      '192.0.2.1',
    ],
    [
      'reverse mapping checking getaddrinfo for ns.example.com [192.0.2.1] failed - POSSIBLE BREAK-IN ATTEMPT!',
      'reverse_mapping_failed',
      null,
      '192.0.2.1',
    ],
    [
      'Address 192.0.2.1 maps to a.example.com, but this does not map back to the address - POSSIBLE BREAK-IN ATTEMPT!',
      'reverse_mapping_failed',
      null,
      '192.0.2.1',
    ],
    ['Did not receive identification string from 192.0.2.1', 'connection_probe', null, '192.0.2.1'],
    [
      "Bad protocol version identification 'GET / from 198.51.100.7' from 192.0.2.1 port 22",
      'connection_probe',
      null,
      '192.0.2.1',
    ],
    [
      'Unable to negotiate with 192.0.2.1 port 22: no matching cipher found. Their offer: x [preauth]',
      'connection_probe',
      null,
      '192.0.2.1',
    ],
    [
      'banner exchange: Connection from 192.0.2.1 port 22: invalid format',
      'connection_probe',
      null,
      '192.0.2.1',
    ],
    ['error: kex_exchange_identification: Connection closed by remote host', 'connection_probe', null, null],
    ['fatal: Timeout before authentication for 192.0.2.1 port 22', 'login_timeout', null, '192.0.2.1'],
    [
      'drop connection #10 from [192.0.2.1]:22 on [192.0.2.9]:22 past MaxStartups',
      'connection_refused',
      null,
      '192.0.2.1',
    ],
    [
      'User bob from 192.0.2.1 not allowed because not listed in AllowUsers',
      'access_denied',
      'bob',
      '192.0.2.1',
    ],
    ['ROOT LOGIN REFUSED FROM 192.0.2.1 port 22', 'access_denied', 'root', '192.0.2.1'],
    [
      'error: PAM: Authentication failure for root from 192.0.2.1',
      'pam_authentication_failure',
      'root',
      '192.0.2.1',
    ],
    [
      'pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=a b',
      'pam_authentication_failure',
      'a b',
      '192.0.2.1',
    ],
    [
      'pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1 ',
      'pam_authentication_failure',
      null,
      '192.0.2.1',
    ],
    [
      'pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)',
      'session_opened',
      'root',
      null,
    ],
    ['pam_unix(sshd:session): session closed for user fztu', 'session_closed', 'fztu', null],
    [
      'pam_faillock(sshd:auth): Consecutive login failures for user bob account temporarily locked',
      'account_locked',
      'bob',
      null,
    ],
    [
      'PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root',
      'pam_more_authentication_failures',
      'root',
      '192.0.2.1',
    ],
    ['PAM service(sshd) ignoring max retries; 6 > 3', 'pam_retry_limit_ignored', null, null],
    ['Server listening on 0.0.0.0 port 22.', 'service_started', null, null],
    ['Received signal 15; terminating.', 'service_stopped', null, null],
    ['fatal: Write failed: Connection reset by peer [preauth]', 'service_error', null, null],
  ])('%s', (message, type, user, address) => {
    expect(found(message)).toEqual([type, user, address])
  })

  test('a user name cannot pass itself off as an address', () => {
    const name = 'root from 198.51.100.7 port 22 ssh2'
    expect(found(`Failed password for invalid user ${name} from 192.0.2.1 port 9 ssh2`)).toEqual([
      'authentication_failure',
      name,
      '192.0.2.1',
    ])
    expect(found(`Invalid user ${name} from 192.0.2.1`)).toEqual(['invalid_user', name, '192.0.2.1'])
    expect(
      found(
        `Failed publickey for invalid user ${name}: RSA SHA256:a from 192.0.2.1 port 9 ssh2: RSA SHA256:b`,
      ),
    ).toEqual(['authentication_failure', `${name}: RSA SHA256:a`, '192.0.2.1'])
  })

  test('a host name where an address is expected is kept in the details', () => {
    const event = only(
      'pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=ns.example.com  user=root',
    )
    expect(event.source_ip).toBeNull()
    expect(event.event_details).toMatchObject({ source: 'ns.example.com', host: 'LabSZ', pid: 24200 })
  })

  test('what other lines say already, and what other programs say, is no event', () => {
    const reason = (message: string, program?: string) => say(message, program).rejected[0]?.reason
    expect(reason('input_userauth_request: invalid user webmaster [preauth]')).toContain('Invalid user')
    expect(reason('pam_unix(sshd:auth): check pass; user unknown')).toContain('not an event')
    expect(reason('(root) CMD (true)', 'CRON[9]')).toBe('not an event: written by CRON, not sshd')
    expect(reason('Something new')).toBe('not an event: unknown sshd message')
    expect(parseAll('hello\n\n', sshd2016).rejected.map((r) => r.reason)).toEqual([
      'not a syslog line',
      'empty line',
    ])
  })
})

describe('repeated messages', () => {
  const failed = 'Failed password for root from 192.0.2.1 port 42 ssh2'

  test('rsyslog’s stand for as many events, each with its own id', () => {
    const { events, accepted } = say(`message repeated 5 times: [ ${failed}]`)
    expect(accepted).toBe(1)
    expect(new Set(events.map(({ event }) => event.id)).size).toBe(5)
    expect(events.map(({ event }) => event.event_type)).toEqual(Array(5).fill('authentication_failure'))
  })

  test('syslogd’s repeat the line before them, of the same host', () => {
    const log = (host: string) =>
      `Dec 10 06:55:46 LabSZ sshd[1]: ${failed}\nDec 10 06:56:16 ${host} last message repeated 2 times\n`
    expect(parseAll(log('LabSZ'), sshd2016).events.map(({ event }) => event.created_at)).toEqual([
      '2016-12-09T22:55:46Z',
      '2016-12-09T22:56:16Z',
      '2016-12-09T22:56:16Z',
    ])
    expect(parseAll(log('other'), sshd2016).rejected).toHaveLength(1)
  })

  test('more repeats than a daemon waits for are refused', () => {
    expect(say(`message repeated 2000000000 times: [ ${failed}]`).rejected).toHaveLength(1)
  })
})

describe('forms of syslog', () => {
  const message = 'Invalid user x from 192.0.2.1'
  test.each([
    [`2024-03-01T12:00:00.123456+09:00 host sshd[7]: ${message}`, '2024-03-01T03:00:00.123456Z'],
    [`2024-03-01T12:00:00+0900 host sshd-session[7]: ${message}`, '2024-03-01T03:00:00Z'],
    [`<38>1 2024-03-01T03:00:00Z host sshd 7 - - ${message}`, '2024-03-01T03:00:00Z'],
    [
      String.raw`<38>1 2024-03-01T03:00:00Z host sshd 7 id [a b="\]"][c d="e"] ` + message,
      '2024-03-01T03:00:00Z',
    ],
    [`<38>Mar  1 12:00:00 host sshd[7]: ${message}`, '2024-03-01T04:00:00Z'],
    [`Mar 01 12:00:00.5 host sshd: ${message}`, '2024-03-01T04:00:00Z'],
  ])('%s', (line, time) => {
    const { events } = parseAll(line, { ...sshd2016, year: 2024, asOf: new Date('2025-01-01T00:00:00Z') })
    expect(events[0]?.event).toMatchObject({ created_at: time, source_ip: '192.0.2.1', resource_id: 'host' })
  })

  test('bytes that are not UTF-8 or cannot be stored do not hide an attempt', () => {
    const line = Buffer.from(
      'Dec 10 06:55:46 h sshd[1]: Failed password for invalid user a\xff\0b from 192.0.2.1 port 1 ssh2',
      'latin1',
    )
    const { events } = parseAll(line, sshd2016)
    expect(events[0]?.event).toMatchObject({ user_name: 'a\ufffd\u2400b', source_ip: '192.0.2.1' })
    expect(events[0]?.event.event_details).toMatchObject({ ingest: { line: 1, repaired: true } })
  })

  test('a line longer than any log daemon sends is refused', () => {
    expect(say('x'.repeat(9000)).rejected[0]?.reason).toBe('longer than 8192 bytes')
  })
})

const realLog = findRealLog()

describe.skipIf(realLog === null)('the OpenSSH log of Loghub', () => {
  const raw = realLog === null ? Buffer.alloc(0) : readFileSync(realLog)
  const { read, accepted, events, rejected } = parseAll(raw, sshd2016)
  const types = tally(events.map(({ event }) => event.event_type))

  test('every line is an event or has a reason', () => {
    expect([read, accepted, rejected.length]).toEqual([2000, 1752, 248])
    expect(Object.values(tally(rejected.map(({ reason }) => reason)))).toEqual([113, 135])
    expect(events[0]?.event.created_at).toBe('2016-12-09T22:55:46Z')
    expect(events.at(-1)?.event.created_at).toBe('2016-12-10T03:04:45Z')
  })

  test('failures by address are those of an independent count over the raw text', () => {
    const counts = new Map<string, number>()
    for (const [, times, address = ''] of raw
      .toString('latin1')
      .matchAll(
        /\]: (?:message repeated (\d+) times: \[ )?Failed (?!none)\w+ for .* from ([\d.]+) port \d+ ssh2/g,
      )) {
      counts.set(address, (counts.get(address) ?? 0) + Number(times ?? 1))
    }
    const failures = events.filter(({ event }) => event.event_type === 'authentication_failure')
    expect(tally(failures.map(({ event }) => event.source_ip))).toEqual(Object.fromEntries(counts))
    expect(failures).toHaveLength(528)
  })

  test('events of every type are as many as their words in the raw text', () => {
    const text = raw.toString('latin1')
    const lines = (words: RegExp) => text.match(words)?.length ?? 0
    expect(types).toEqual({
      authentication_failure: 528,
      authentication_probe: lines(/: Failed none/g),
      authentication_success: lines(/: Accepted /g),
      authentication_limit_exceeded: lines(/: Disconnecting: Too many/g),
      invalid_user: lines(/: Invalid user/g),
      pam_authentication_failure: lines(/auth\): authentication failure/g),
      pam_more_authentication_failures: lines(/more authentication failure/g),
      pam_retry_limit_ignored: lines(/ignoring max retries/g),
      connection_closed: lines(/: Connection closed/g),
      connection_disconnected: lines(/Received disconnect/g),
      connection_probe: lines(/Did not receive/g),
      reverse_mapping_failed: lines(/reverse mapping/g),
      session_opened: lines(/session opened/g),
      session_closed: lines(/session closed/g),
      service_error: lines(/fatal:/g),
    })
  })
})
