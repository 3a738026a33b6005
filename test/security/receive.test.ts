/** Syslog of hosts over TCP and TLS, also from peers that mean no good. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Receiver, receiveSyslog } from '../../src/security/index.ts'
import { FrameError, FrameReader, MAX_MESSAGE_BYTES } from '../../src/security/receive/frames.ts'
import { Peer } from '../../src/security/receive/peer.ts'
import { selfSigned } from '../support/certificate.ts'
import { testDatabase, tester } from '../support/index.ts'

const texts = (messages: readonly Uint8Array[]) => messages.map((each) => Buffer.from(each).toString('utf8'))

describe('frames', () => {
  const stream = Buffer.from(
    `12 <38>1 日本<1>line\r\n\n<2>nul\0${'6 <3>'}abc7 <4>\nxyz12x no length\n0 zero\n<5>last`,
  )
  // A length counts bytes; ends of lines may follow a message with a length.
  const wanted = ['<38>1 日本', '<1>line\r', '<2>nul', '<3>abc', '<4>\nxyz', '12x no length', '0 zero']

  test.each([1, 2, 3, 7, 1000])('are the same in chunks of %d bytes', (size) => {
    const reader = new FrameReader()
    const found: string[] = []
    for (let at = 0; at < stream.length; at += size) {
      const { messages, discarded } = reader.push(stream.subarray(at, at + size))
      found.push(...texts(messages))
      expect(discarded).toBe(0)
    }
    expect(found).toEqual(wanted)
    expect(reader.isWithin).toBe(true)
    expect(Buffer.from(reader.end() ?? []).toString()).toBe('<5>last')
    expect(reader.isWithin).toBe(false)
  })

  test('that are too long are left out, and those behind them are read', () => {
    const reader = new FrameReader()
    const long = 'x'.repeat(MAX_MESSAGE_BYTES + 1)
    const { messages, discarded } = reader.push(Buffer.from(`${long}\n${long.length} ${long}4 next\nline\n`))
    expect([texts(messages), discarded]).toEqual([['next', 'line'], 2])
  })

  test('without an end are refused before they fill the memory', () => {
    const reader = new FrameReader()
    expect(() => {
      for (let n = 0; n < 1_000; n += 1) reader.push(Buffer.alloc(65_536, 'x'))
    }).toThrow(FrameError)
    expect(() => new FrameReader().push(Buffer.from('99999999 x'))).toThrow(FrameError)
  })

  test('that are cut off by the end are not taken for whole', () => {
    const reader = new FrameReader()
    reader.push(Buffer.from('20 <38>1 cut'))
    expect(reader.end()).toBeNull()
  })
})

test('a peer is read no faster than its messages are taken', async () => {
  const MESSAGES = 10_000
  const line = 'Failed password for root from 192.0.2.1 port 1 ssh2'
  const at = new Date()
  let peer: Peer | undefined
  const server = createServer((socket) => {
    peer = new Peer(socket, '192.0.2.1', {
      options: { timezone: 'UTC' },
      messageMs: 10_000,
      onMessages: () => undefined,
      onProblem: (problem) => expect.fail(problem),
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const lines = Array.from(
    { length: MESSAGES },
    (_, n) => `<38>1 ${at.toISOString()} web1 sshd ${n} - - ${line}`,
  )
  socket.end(`${lines.join('\n')}\n`)
  let taken = 0
  let most = 0
  while (taken < MESSAGES) {
    await sleep(1)
    most = Math.max(most, peer?.waiting ?? 0)
    taken += peer?.take(1_000, at).accepted ?? 0
  }
  // What waits is bounded: the limit, and one chunk of the socket.
  expect(most).toBeGreaterThan(0)
  expect(most).toBeLessThan(5_000)
  server.close()
})

describe('a receiver', () => {
  const database = testDatabase()
  const worker = database.open('worker')
  const stop = new AbortController()
  const { key, cert } = selfSigned()
  const problems: string[] = []
  const remember = (fields: unknown) => {
    problems.push(String((fields as { problem?: string }).problem))
  }
  const log = { debug() {}, info() {}, warn: remember, error: remember } as unknown as Parameters<
    typeof receiveSyslog
  >[0]['log']
  let tls: Receiver
  let tcp: Receiver
  const now = new Date().toISOString()

  beforeAll(async () => {
    const common = {
      host: '127.0.0.1',
      port: 0,
      parse: { timezone: 'UTC' },
      database: worker,
      actor: tester,
      log,
      signal: stop.signal,
      messageMs: 500,
    }
    tls = await receiveSyslog({ ...common, tls: { key, cert } })
    tcp = await receiveSyslog({ ...common, tls: null })
  })
  afterAll(() => stop.abort())

  const framed = (message: string) => `${Buffer.byteLength(message)} ${message}`
  const failure = (pid: number, user = 'root') =>
    `<38>1 ${now} web1 sshd ${pid} - - Failed password for ${user} from 192.0.2.1 port ${pid} ssh2`

  test('stores what hosts send while others attack it, and ends with everything stored', async () => {
    const toTls = async () => {
      const socket = connectTls({ port: tls.port, host: '127.0.0.1', ca: cert, servername: 'localhost' })
      await once(socket, 'secureConnect')
      return socket
    }
    const toTcp = async () => {
      const socket = connect(tcp.port, '127.0.0.1')
      await once(socket, 'connect')
      return socket
    }
    const gone: Promise<unknown>[] = []
    const hostile = (socket: Socket) => {
      socket.on('error', () => undefined)
      gone.push(new Promise((done) => socket.once('close', done)))
      return socket
    }
    const honest = await toTls()
    const loris = hostile(await toTls())
    const trickle = setInterval(() => loris.write('x'), 20)
    const endless = hostile(await toTcp())
    for (let n = 0; n < 400; n += 1) endless.write(Buffer.alloc(65_536, 'y'))
    // No TLS at all.
    hostile(connect(tls.port, '127.0.0.1')).end('GET / HTTP/1.1\r\n\r\n')
    const garbage = await toTcp()
    garbage.end(Buffer.concat([Buffer.from([0xff, 0xfe, 0, 10, 0xc3, 10]), Buffer.from('}{\n\u0007\n')]))
    honest.write(framed(failure(1)).slice(0, 40))
    honest.end(framed(failure(1)).slice(40) + framed(failure(2)) + framed(failure(3, 'eve\nroot')))
    const plain = await toTcp()
    plain.end(`${failure(4)}\n${failure(5)}`)

    await Promise.all(gone)
    clearInterval(trickle)
    const stored = async () => {
      const { rows } = await database.asSuperuser((session) =>
        session.query<{ port: string; name: string }>(
          `select event_details ->> 'pid' as port, user_name as name from akashi_security.security_events
           where event_type = 'authentication_failure' and source_ip = '192.0.2.1' order by 1`,
        ),
      )
      return rows
    }
    for (let attempt = 0; attempt < 200 && (await stored()).length < 5; attempt += 1) await sleep(50)
    // What arrives last is stored before it ends.
    const late = await toTcp()
    late.write(`${failure(6)}\n`)
    await sleep(100)
    stop.abort()
    await Promise.all([tls.ended, tcp.ended])
    const found = await stored()
    expect(found.map(({ name }) => name).sort()).toEqual([
      'eve\u240aroot',
      'root',
      'root',
      'root',
      'root',
      'root',
    ])
    expect(problems.join('; ')).toContain('it did not complete a message')
    const { rows: kept } = await database.asSuperuser((session) =>
      session.query<{ source: string }>('select source from akashi_security.ingest_quarantine'),
    )
    expect(kept.length).toBeGreaterThan(0)
    expect(new Set(kept.map(({ source }) => source))).toEqual(new Set(['syslog of 127.0.0.1']))
  })
})
