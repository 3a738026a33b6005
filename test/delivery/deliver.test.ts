/** Channels to real receivers: what fails, hangs, refuses and is killed; nothing is lost, and nobody waits for another. */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createServer as createTlsServer } from 'node:tls'
import { pathToFileURL } from 'node:url'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allowedNetworks, resolve } from '../../src/delivery/destination.ts'
import {
  addChannel,
  changeChannel,
  Deliverer,
  listChannels,
  listDeadLetters,
  type NewChannel,
  replayDeadLetters,
  testChannel,
} from '../../src/delivery/index.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import { remediate } from '../../src/security/index.ts'
import { selfSigned } from '../support/certificate.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { signatureError } from '../support/s3-signature.ts'

const database = testDatabase()
const worker = database.open('worker')
const admin = database.open('security_admin')
const ledger = testLedger(worker)
const stop = new AbortController()
const { key, cert } = selfSigned()
const SECRET = `whsec_${Buffer.from('a key of thirty-two bytes, or so!').toString('base64')}`
const servers: (Server | TcpServer)[] = []
const log = { debug() {}, info() {}, warn() {}, error() {} } as unknown as ConstructorParameters<
  typeof Deliverer
>[0]['log']

interface Received {
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly url: string
}

/** A receiver on a free port. */
async function receiver(
  answer: (request: Received, response: ServerResponse, raw: IncomingMessage) => void,
): Promise<{ port: number; got: Received[] }> {
  const got: Received[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const received = { headers: request.headers, body, url: request.url ?? '' }
      got.push(received)
      answer(received, response, request)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  servers.push(server)
  return { port: (server.address() as AddressInfo).port, got }
}

const fine = (_: Received, response: ServerResponse) => void response.end('ok')
const add = (channel: NewChannel) => addChannel(admin, tester, ledger.keyring, channel)
const sql = async <R>(statement: string, values: readonly unknown[] = []) =>
  await database.asSuperuser(async (session) => (await session.query<R>(statement, [...values])).rows)

async function happen(...names: string[]) {
  for (const name of names)
    await sql(
      `select akashi_security.record_event('coupon_guessed', 'data_access', $2, 'shop', user_name => $1, description => $1)`,
      [name, name.startsWith('bad') ? 'high' : 'medium'],
    )
  await ledger.seal()
}

let deliverer: Deliverer
/** Everything that is due, without the pauses between attempts. */
async function round() {
  await sql('update akashi_security.delivery_progress set next_attempt_at = now()')
  await deliverer.round()
  await deliverer.settle()
}
const make = () =>
  new Deliverer({
    database: worker,
    actor: tester,
    keyring: ledger.keyring,
    openStore: openObjectStore,
    log,
    signal: stop.signal,
    tls: { ca: cert },
  })
const stateOf = async (name: string) => (await listChannels(admin, tester)).find((each) => each.name === name)
const namesIn = (got: readonly Received[]) => got.map(({ body }) => JSON.parse(body).data.user_name)

beforeAll(async () => {
  await sql(
    `update akashi_lifecycle.settings set value = '["127.0.0.0/8"]' where key = 'delivery.allowed_networks'`,
  )
  await happen('before')
  deliverer = make()
})
afterAll(() => {
  stop.abort()
  for (const server of servers) server.close()
})

describe('a webhook', () => {
  test('is signed, in order, and begins with what is recorded from now on', async () => {
    const { port, got } = await receiver(fine)
    await add({
      name: 'hook',
      kind: 'webhook',
      destination: `http://127.0.0.1:${port}/in?x=1`,
      secret: SECRET,
      types: ['coupon_guessed'],
    })
    await happen('one', 'two', 'three')
    await round()
    expect(namesIn(got)).toEqual(['one', 'two', 'three'])
    const [{ headers, body, url } = { headers: {}, body: '', url: '' }] = got
    expect(url).toBe('/in?x=1')
    const signed = createHmac('sha256', Buffer.from(SECRET.slice(6), 'base64'))
      .update(`${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`)
      .digest('base64')
    expect(headers['webhook-signature']).toBe(`v1,${signed}`)
    expect(JSON.parse(body)).toMatchObject({ type: 'coupon_guessed', data: { severity: 'medium' } })
    expect(JSON.parse(body).data.id).toBe(headers['webhook-id'])
    expect(JSON.parse(body).data.salt).toBeUndefined()
    const results = await sql<{ result: string }>(
      `select result from akashi_security.security_event_hook_results where hook_name = 'hook'`,
    )
    expect(results.map(({ result }) => result)).toEqual(['success', 'success', 'success'])
    await changeChannel(admin, tester, ledger.keyring, (await stateOf('hook'))?.id ?? '', { state: 'paused' })
  })

  test('that fails loses nothing and keeps the order; a new process goes on', async () => {
    let isDown = true
    const { port, got } = await receiver((_, response) => {
      response.statusCode = isDown ? 503 : 200
      response.end(isDown ? 'down' : 'ok')
    })
    const { id } = await add({
      name: 'down',
      kind: 'webhook',
      destination: `http://127.0.0.1:${port}`,
      secret: SECRET,
      types: ['coupon_guessed'],
    })
    await happen('four', 'five')
    for (let attempt = 0; attempt < 6; attempt += 1) await round()
    expect(namesIn(got)).toEqual(Array.from({ length: 6 }, () => 'four'))
    expect(await stateOf('down')).toMatchObject({ failures: 6, lastError: 'HTTP 503: down', deadLetters: 0 })
    isDown = false
    got.length = 0
    deliverer = make()
    await round()
    expect(namesIn(got)).toEqual(['four', 'five'])
    expect(await stateOf('down')).toMatchObject({ failures: 0, lastError: null, waiting: 0 })
    await changeChannel(admin, tester, ledger.keyring, id, { state: 'paused' })
  })

  test('waits longer after each failure', async () => {
    const { port } = await receiver((_, response) => void response.writeHead(500).end())
    const { id } = await add({
      name: 'slower',
      kind: 'webhook',
      destination: `http://127.0.0.1:${port}`,
      secret: SECRET,
    })
    await happen('x')
    for (let attempt = 0; attempt < 3; attempt += 1) await round()
    const [row] = await sql<{ pause: number }>(
      'select extract(epoch from next_attempt_at - now())::float8 as pause from akashi_security.delivery_progress where channel_id = $1',
      [id],
    )
    expect(row?.pause).toBeGreaterThan(2)
    expect(row?.pause).toBeLessThanOrEqual(4)
    await changeChannel(admin, tester, ledger.keyring, id, { state: 'paused' })
  })

  test('that refuses a message goes on behind it, and takes it when it is replayed', async () => {
    let refuses = true
    const { port, got } = await receiver((request, response) => {
      const isBad = JSON.parse(request.body).data.user_name === 'bad' && refuses
      response.writeHead(isBad ? 422 : 200).end(isBad ? 'no' : '')
    })
    const { id } = await add({
      name: 'picky',
      kind: 'webhook',
      destination: `http://127.0.0.1:${port}`,
      secret: SECRET,
      types: ['coupon_guessed'],
    })
    await happen('good', 'bad', 'better')
    for (let attempt = 0; attempt < 4; attempt += 1) await round()
    expect(namesIn(got)).toEqual(['good', 'bad', 'bad', 'bad', 'better'])
    const { rows } = await listDeadLetters(admin, tester, id, { limit: 10 })
    expect(rows).toMatchObject([{ error: 'HTTP 422: no', replaying: false }])
    expect(await replayDeadLetters(admin, tester, id)).toBe(1)
    await round()
    expect((await listDeadLetters(admin, tester, id, { limit: 10 })).rows).toMatchObject([
      { replaying: false },
    ])
    refuses = false
    got.length = 0
    await replayDeadLetters(admin, tester, id, [rows[0]?.rowId ?? ''])
    await round()
    expect(namesIn(got)).toEqual(['bad'])
    expect((await listDeadLetters(admin, tester, id, { limit: 10 })).rows).toEqual([])
    await changeChannel(admin, tester, ledger.keyring, id, { state: 'paused' })
  })

  test('that hangs holds up no other channel', async () => {
    const hanging = await receiver(() => undefined)
    const other = await receiver(fine)
    const slow = await add({
      name: 'hangs',
      kind: 'webhook',
      destination: `http://127.0.0.1:${hanging.port}`,
      secret: SECRET,
    })
    const quick = await add({
      name: 'quick',
      kind: 'webhook',
      destination: `http://127.0.0.1:${other.port}`,
      secret: SECRET,
      types: ['coupon_guessed'],
    })
    const stopHere = new AbortController()
    const own = new Deliverer({
      database: worker,
      actor: tester,
      keyring: ledger.keyring,
      openStore: openObjectStore,
      log,
      signal: stopHere.signal,
    })
    await happen('six')
    await own.round()
    await expect.poll(() => namesIn(other.got)).toEqual(['six'])
    await happen('seven')
    await own.round()
    await expect.poll(() => namesIn(other.got), { timeout: 5_000 }).toEqual(['six', 'seven'])
    expect(hanging.got).toHaveLength(1)
    stopHere.abort()
    await own.settle()
    for (const { id } of [slow, quick])
      await changeChannel(admin, tester, ledger.keyring, id, { state: 'paused' })
  })

  test('tells the filter and the rate that it keeps', async () => {
    const { port, got } = await receiver(fine)
    const { id } = await add({
      name: 'few',
      kind: 'webhook',
      destination: `http://127.0.0.1:${port}`,
      secret: SECRET,
      minSeverity: 'high',
      types: ['coupon_guessed'],
      perMinute: 2,
    })
    await happen('medium', 'bad1', 'bad2', 'bad3', 'bad4', 'bad5', 'bad6')
    await round()
    await round()
    const taken = got.length
    expect(taken).toBeGreaterThan(0)
    expect(taken).toBeLessThan(6)
    expect(namesIn(got)).toEqual(['bad1', 'bad2', 'bad3', 'bad4', 'bad5'].slice(0, taken))
    await changeChannel(admin, tester, ledger.keyring, id, { state: 'paused' })
  })
})

test('chat services get their own JSON; the secret URL is not in the database', async () => {
  const { port, got } = await receiver(fine)
  for (const kind of ['slack', 'teams'] as const)
    await add({
      name: kind,
      kind,
      destination: `http://127.0.0.1:${port}`,
      secret: `http://127.0.0.1:${port}/T0/${kind}-token`,
      types: ['coupon_guessed'],
    })
  await happen('<!channel> & co')
  await round()
  const slack = got.find(({ url }) => url === '/T0/slack-token')
  const teams = got.find(({ url }) => url === '/T0/teams-token')
  expect(JSON.parse(slack?.body ?? '{}').text).toContain('&lt;!channel&gt; &amp; co')
  expect(JSON.parse(teams?.body ?? '{}').attachments[0].content.body[0].text).toContain('[medium]')
  const stored = await sql<{ stored: string }>(
    `select to_jsonb(c)::text || coalesce((select string_agg(a.new_values::text, '') from akashi_audit.audit_logs a where a.table_name = 'delivery_channels'), '') as stored
     from akashi_security.delivery_channels c`,
  )
  expect(stored.every((row) => !row.stored.includes('token'))).toBe(true)
  for (const name of ['slack', 'teams'])
    await changeChannel(admin, tester, ledger.keyring, (await stateOf(name))?.id ?? '', { state: 'paused' })
})

test('syslog frames are RFC 5424, and those that a killed receiver did not take come again', async () => {
  let taken = ''
  const listen = async (port: number) => {
    const server = createTcpServer((socket) => {
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        taken += chunk
      })
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    servers.push(server)
    return server
  }
  const first = await listen(0)
  const { port } = first.address() as AddressInfo
  const { id } = await add({
    name: 'siem',
    kind: 'syslog',
    destination: `tcp://127.0.0.1:${port}`,
    types: ['coupon_guessed'],
  })
  await happen('日本語', 'second')
  await round()
  const [, length = '', rest = ''] = /^(\d+) (.*)$/s.exec(taken) ?? []
  const frame = Buffer.from(rest).subarray(0, Number(length)).toString('utf8')
  expect(frame).toMatch(
    /^<108>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ akashi - coupon_guessed \[akashi@32473 id="[0-9a-f-]{36}"/,
  )
  expect(JSON.parse(frame.slice(frame.indexOf('\ufeff') + 1))).toMatchObject({ user_name: '日本語' })
  await new Promise((done) => first.close(done))
  taken = ''
  await happen('third')
  await round()
  expect(await stateOf('siem')).toMatchObject({ failures: 1 })
  await listen(port)
  await round()
  expect(taken).toContain('"user_name": "third"'.replace(': ', ':'))
  expect(await stateOf('siem')).toMatchObject({ failures: 0 })
  await changeChannel(admin, tester, ledger.keyring, id, { state: 'paused' })
})

test('syslog goes over TLS to a receiver whose certificate is trusted, and to no other', async () => {
  const listen = async (own: { readonly key: string; readonly cert: string }) => {
    let taken = ''
    const server = createTlsServer({ ...own, minVersion: 'TLSv1.2' }, (socket) => {
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        taken += chunk
      })
    })
    server.on('tlsClientError', () => undefined)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    servers.push(server)
    return { port: (server.address() as AddressInfo).port, taken: () => taken }
  }
  const [trusted, other] = [await listen({ key, cert }), await listen(selfSigned())]
  const ids: string[] = []
  for (const [name, { port }] of [
    ['siem-tls', trusted],
    ['siem-other', other],
  ] as const) {
    const destination = `tls://127.0.0.1:${port}`
    ids.push((await add({ name, kind: 'syslog', destination, types: ['coupon_guessed'] })).id)
  }
  await happen('over TLS')
  await round()
  expect(trusted.taken()).toMatch(/^\d+ <108>1 .*"over TLS"/s)
  expect(await stateOf('siem-tls')).toMatchObject({ failures: 0 })
  expect(other.taken()).toBe('')
  expect(await stateOf('siem-other')).toMatchObject({ failures: 1 })
  for (const id of ids) await changeChannel(admin, tester, ledger.keyring, id, { state: 'paused' })
})

test('e-mail goes over TLS with the account, and never without', async () => {
  const mails: string[] = []
  const smtp = new SMTPServer({
    key,
    cert,
    secure: false,
    authMethods: ['PLAIN', 'LOGIN'],
    onAuth: (auth, session, done) =>
      auth.username === 'akashi' && auth.password === 'mail password' && session.secure
        ? done(null, { user: 'akashi' })
        : done(new Error('no')),
    onData: (stream, _, done) => {
      void text(stream).then((mail) => {
        mails.push(mail)
        done()
      })
    },
  })
  const listening = smtp.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  const destination = `smtp://akashi@127.0.0.1:${port}?from=akashi@example.com&to=soc@example.com,b@example.com`
  const { id } = await add({
    name: 'mail',
    kind: 'email',
    destination,
    secret: 'mail password',
    types: ['coupon_guessed'],
  })
  await happen('eight\r\nBcc: eve@example.com', 'nine')
  await round()
  expect(await stateOf('mail')).toMatchObject({ lastError: null })
  expect(mails).toHaveLength(1)
  expect(mails[0]).toMatch(/Subject: \[Akashi\] \[medium\] eight/)
  // A line end in a description starts no header.
  expect(mails[0]).not.toMatch(/^Bcc:/m)
  expect(mails[0]).toContain('nine')
  const plain = new SMTPServer({
    secure: false,
    disabledCommands: ['STARTTLS'],
    authOptional: true,
    onData: (stream, _, done) => void text(stream).then(() => done()),
  })
  const open = plain.listen(0, '127.0.0.1')
  await once(open, 'listening')
  await changeChannel(admin, tester, ledger.keyring, id, {
    destination: destination.replace(String(port), String((open.address() as AddressInfo).port)),
    secret: 'mail password',
  })
  await happen('ten')
  await round()
  expect((await stateOf('mail'))?.lastError).toMatch(/STARTTLS/i)
  await changeChannel(admin, tester, ledger.keyring, id, { state: 'paused' })
  await Promise.all([smtp, plain].map((server) => new Promise<void>((done) => server.close(() => done()))))
})

test('Security Hub gets signed findings, and hears what becomes of them', async () => {
  const signer = {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'secret',
    region: 'ap-northeast-1',
    service: 'securityhub',
  }
  const faults: unknown[] = []
  const { port, got } = await receiver((request, response, raw) => {
    const fault = signatureError(raw, Buffer.from(request.body), signer, Date.now())
    if (fault !== null) faults.push(fault)
    const { Findings = [] } = JSON.parse(request.body)
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({
        FailedCount: 0,
        SuccessCount: Findings.length,
        FailedFindings: [],
        ProcessedFindings: [],
        UnprocessedFindings: [],
      }),
    )
  })
  const { id } = await add({
    name: 'hub',
    kind: 'security_hub',
    destination: `securityhub://ap-northeast-1/123456789012?endpoint=http://127.0.0.1:${port}`,
    secret: 'AKIDEXAMPLE:secret',
    types: ['coupon_guessed'],
  })
  await happen('eleven', 'twelve')
  await round()
  expect(await stateOf('hub')).toMatchObject({ lastError: null })
  expect(faults).toEqual([])
  expect(got.map(({ url }) => url)).toEqual(['/findings/import'])
  const { Findings } = JSON.parse(got[0]?.body ?? '{}')
  expect(Findings).toHaveLength(2)
  expect(Findings[0]).toMatchObject({
    SchemaVersion: '2018-10-08',
    AwsAccountId: '123456789012',
    ProductArn: 'arn:aws:securityhub:ap-northeast-1:123456789012:product/123456789012/default',
    Severity: { Label: 'MEDIUM' },
    Title: 'eleven',
  })
  const eventId = Findings[0].Id.split('/').at(-1)
  const [noted] = await sql<{ hub: string }>(
    'select security_hub_id as hub from akashi_security.remediations where event_id = $1',
    [eventId],
  )
  expect(noted?.hub).toBe(Findings[0].Id)
  got.length = 0
  await remediate(admin, tester, eventId, { status: 'resolved', notes: 'a coupon of ours' })
  await ledger.seal()
  await round()
  expect(got.map(({ url }) => url)).toEqual(['/findings/batchupdate'])
  expect(JSON.parse(got[0]?.body ?? '{}')).toMatchObject({
    FindingIdentifiers: [{ Id: Findings[0].Id }],
    Workflow: { Status: 'RESOLVED' },
    Note: { Text: 'a coupon of ours' },
  })
  got.length = 0
  await round()
  expect(got).toEqual([])
  // A change that is made first and committed last.
  const otherId = Findings[1].Id.split('/').at(-1)
  await database.asSuperuser(async (session) => {
    await session.query('begin')
    await session.query(
      `update akashi_security.remediations set remediation_status = 'suppressed' where event_id = $1`,
      [otherId],
    )
    await remediate(admin, tester, eventId, { status: 'in_progress' })
    await ledger.sealOnce()
    await round()
    await session.query('commit')
  })
  await ledger.seal()
  await round()
  const heard = got.map(({ body }) => JSON.parse(body))
  expect(new Set(heard.map(({ Workflow }) => Workflow.Status))).toEqual(new Set(['NOTIFIED', 'SUPPRESSED']))
  expect(await stateOf('hub')).toMatchObject({ failures: 0 })
  await changeChannel(admin, tester, ledger.keyring, id, { state: 'paused' })
})

test('streams take many rows at once, of the trail too, as OCSF or into objects', async () => {
  const { port, got } = await receiver(fine)
  const folder = await mkdtemp(join(tmpdir(), 'akashi-stream-'))
  const trail = await add({
    name: 'trail',
    kind: 'stream',
    log: 'audit_logs',
    destination: `http://127.0.0.1:${port}`,
    secret: 'token',
    types: ['remediations'],
  })
  const ocsf = await add({
    name: 'lake',
    kind: 'stream',
    format: 'ocsf',
    destination: `http://127.0.0.1:${port}/ocsf`,
    types: ['coupon_guessed'],
  })
  const objects = await add({
    name: 'files',
    kind: 'objects',
    destination: pathToFileURL(folder).href,
    types: ['coupon_guessed'],
  })
  await happen('thirteen', 'fourteen')
  const [event] = await sql<{ id: string }>(
    `select id from akashi_security.security_events where user_name = 'thirteen'`,
  )
  await remediate(admin, tester, event?.id ?? '', { status: 'in_progress' })
  await ledger.seal()
  await round()
  const rows = got.find(({ url }) => url === '/')
  expect(rows?.headers['authorization']).toBe('Bearer token')
  const lines = rows?.body
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines?.at(-1)).toMatchObject({
    log: 'audit_logs',
    type: 'remediations.insert',
    data: { table_name: 'remediations', new_values: { event_id: event?.id } },
  })
  const findings = got
    .find(({ url }) => url === '/ocsf')
    ?.body.trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(findings).toMatchObject([
    {
      class_uid: 2004,
      type_uid: 200401,
      severity_id: 3,
      metadata: { version: '1.8.0' },
      finding_info: { title: 'thirteen' },
    },
    { finding_info: { title: 'fourteen' } },
  ])
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ndjson'))
  expect(files).toHaveLength(1)
  expect((await readFile(join(folder, files[0] ?? ''), 'utf8')).trim().split('\n')).toHaveLength(2)
  for (const { id } of [trail, ocsf, objects])
    await changeChannel(admin, tester, ledger.keyring, id, { state: 'paused' })
  await rm(folder, { recursive: true, force: true })
})

describe('a destination', () => {
  test('is neither this machine nor its link nor a metadata service, whatever the name', async () => {
    const none = allowedNetworks([])
    for (const host of [
      '127.0.0.1',
      'localhost',
      '169.254.169.254',
      '[::1]',
      '[fe80::1]',
      '[::ffff:169.254.169.254]',
      '[fd00:ec2::254]',
      '0.0.0.0',
      '[::]',
      '[64:ff9b::a9fe:a9fe]',
      '2130706433',
      '0x7f.1',
    ])
      await expect(resolve(host, none), host).rejects.toMatchObject({ code: 'forbidden' })
    expect(await resolve('10.0.0.1', none)).toEqual({ address: '10.0.0.1', family: 4 })
    expect(await resolve('127.0.0.1', allowedNetworks(['127.0.0.0/8']))).toMatchObject({ family: 4 })
  })

  test('is checked before it is used, and its secret does not move to another host', async () => {
    const wrong = (channel: Partial<NewChannel>) =>
      expect(
        add({
          name: 'wrong',
          kind: 'webhook',
          destination: 'https://example.com',
          secret: SECRET,
          ...channel,
        }),
      ).rejects.toMatchObject({ code: 'invalid_input' })
    await wrong({ destination: 'ftp://example.com' })
    await wrong({ destination: 'https://a:b@example.com' })
    await wrong({ secret: 'short' })
    await wrong({ kind: 'email', destination: 'smtps://example.com' })
    await wrong({ kind: 'slack', log: 'audit_logs' })
    await wrong({ kind: 'security_hub', destination: 'securityhub://tokyo/1' })
    const { id } = await add({
      name: 'moves',
      kind: 'webhook',
      destination: 'https://example.com',
      secret: SECRET,
    })
    await expect(
      add({ name: 'moves', kind: 'webhook', destination: 'https://example.com', secret: SECRET }),
    ).rejects.toMatchObject({ code: 'conflict' })
    await expect(
      changeChannel(admin, tester, ledger.keyring, id, { destination: 'https://example.net' }),
    ).rejects.toMatchObject({ code: 'invalid_input' })
    await sql(`update akashi_lifecycle.settings set value = '[]' where key = 'delivery.allowed_networks'`)
    const { port, got } = await receiver(fine)
    await changeChannel(admin, tester, ledger.keyring, id, {
      destination: `http://127.0.0.1:${port}`,
      secret: SECRET,
    })
    const channel = await stateOf('moves')
    if (channel === undefined) throw new Error('no channel')
    expect(
      await testChannel(
        { database: admin, keyring: ledger.keyring, openStore: openObjectStore },
        tester,
        channel,
      ),
    ).toMatchObject({
      delivered: false,
      error: expect.stringMatching(/may not send to 127/),
    })
    expect(got).toEqual([])
  })
})
