/** HTTPS with a certificate from files, which change while it is served. */
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { https, judgeHttps } from '../../src/start/doctor/security/https.ts'
import { openCertificate } from '../../src/start/https.ts'
import { testApp } from '../http/support.ts'
import { selfSigned } from '../support/certificate.ts'

const DAY_MS = 86_400_000
const LOOK_MS = 20

let folder: string
let files: { readonly tlsCertificate: string; readonly tlsKey: string }
/** Lines of the log, by level. */
let lines: { readonly level: number; readonly msg: string; readonly err?: { readonly message: string } }[]
let stop: () => Promise<void>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-https-'))
  files = { tlsCertificate: join(folder, 'tls.crt'), tlsKey: join(folder, 'tls.key') }
  lines = []
  stop = async () => undefined
})

afterEach(async () => {
  await stop()
  await rm(folder, { recursive: true, force: true })
})

async function put({ cert, key }: { readonly cert?: string; readonly key?: string }): Promise<void> {
  if (cert !== undefined) await writeFile(files.tlsCertificate, cert)
  if (key !== undefined) await writeFile(files.tlsKey, key)
}

/** Serves with what is in the files; returns the port. */
async function serve(): Promise<number> {
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) })
  const certificate = await openCertificate(files, log)
  const app = testApp({}, {}, certificate?.options)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const following = certificate?.follow(app.server, LOOK_MS)
  stop = async () => {
    following?.stop()
    await app.close()
  }
  return (app.server.address() as AddressInfo).port
}

/** The status, given to a client that trusts this certificate alone and names a host or only an address. */
async function ask(
  port: number,
  ca: string,
  options: {
    readonly path?: string
    readonly method?: string
    readonly headers?: object
    readonly host?: string
  } = {},
): Promise<number> {
  const { host = 'localhost', headers = {}, path = '/healthz', method = 'GET' } = options
  const servername = host === 'localhost' ? { servername: host } : {}
  const sent = request({
    host: '127.0.0.1',
    port,
    ca,
    ...servername,
    agent: false,
    path,
    method,
    headers: { host: `${host}:${port}`, ...headers },
  })
  sent.end()
  const [response] = await once(sent, 'response')
  response.resume()
  return response.statusCode
}

const reports = () => lines.filter(({ level }) => level >= 50).map(({ msg, err }) => err?.message ?? msg)

it('serves over TLS alone, to pages of its own that are served over TLS too', async () => {
  const pair = selfSigned()
  await put(pair)
  const port = await serve()
  expect(await ask(port, pair.cert)).toBe(200)
  expect(await ask(port, pair.cert, { host: '127.0.0.1' })).toBe(200)
  await expect(ask(port, selfSigned().cert)).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow()
  const old = connect({
    port,
    ca: pair.cert,
    servername: 'localhost',
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1',
  })
  await expect(once(old, 'secureConnect')).rejects.toThrow()
  const signIn = (origin: string) =>
    ask(port, pair.cert, { path: '/v1/session', method: 'POST', headers: { origin } })
  expect(await signIn(`http://localhost:${port}`)).toBe(403)
  expect(await signIn(`https://localhost:${port}`)).not.toBe(403)
})

it('takes over a new certificate without a restart, and keeps connections', async () => {
  const [before, after] = [selfSigned(), selfSigned()]
  await put(before)
  const port = await serve()
  const open = connect({ port, host: '127.0.0.1', ca: before.cert, servername: 'localhost' })
  await once(open, 'secureConnect')
  await put(after)
  await expect.poll(() => ask(port, after.cert).catch(() => 0)).toBe(200)
  // Also for clients that name no host.
  expect(await ask(port, after.cert, { host: '127.0.0.1' })).toBe(200)
  await expect(ask(port, before.cert)).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  expect(await statusOver(open)).toBe('HTTP/1.1 200 OK')
  // It may look between the two writes.
  expect(reports().filter((text) => !/not a certificate and its key/.test(text))).toEqual([])
})

async function statusOver(socket: TLSSocket): Promise<string | undefined> {
  socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  let text = ''
  for await (const chunk of socket) text += chunk
  return text.split('\r\n')[0]
}

it('keeps the former certificate when the new one is broken, and says so once', async () => {
  const pair = selfSigned()
  await put(pair)
  const port = await serve()
  for (const [broken, report] of [
    [{ key: selfSigned().key }, /not a certificate and its key/],
    [{ cert: 'half a certif', key: pair.key }, /not a certificate and its key/],
    // As the file is while it is written.
    [{ cert: pair.cert, key: '' }, /not a certificate and its key/],
    [selfSigned({ days: -1 }), /the certificate ended/],
  ] as const) {
    lines = []
    await put(broken)
    await expect.poll(() => reports().at(-1)).toMatch(report)
    const reported = reports().length
    expect(await ask(port, pair.cert)).toBe(200)
    await sleep(5 * LOOK_MS)
    expect(reports()).toHaveLength(reported)
  }
  lines = []
  await rm(files.tlsKey)
  await expect.poll(reports).toHaveLength(1)
  expect(JSON.stringify(lines)).not.toContain('PRIVATE KEY')
  expect(await ask(port, pair.cert)).toBe(200)
  const next = selfSigned()
  await put(next)
  await expect.poll(() => ask(port, next.cert).catch(() => 0)).toBe(200)
})

describe('what cannot be served is refused at the start', () => {
  const log = pino({ level: 'silent' })
  const refused = (given: Parameters<typeof openCertificate>[0]) =>
    expect(openCertificate(given, log)).rejects

  test('one file without the other, a file that is missing, two that do not fit', async () => {
    const { cert, key } = selfSigned()
    await put({ cert, key: selfSigned().key })
    const { tlsCertificate, tlsKey } = files
    const other = { code: 'invalid_config', message: /only one/ }
    await refused({ tlsCertificate, tlsKey: undefined }).toMatchObject(other)
    await refused({ tlsCertificate: undefined, tlsKey }).toMatchObject(other)
    await refused(files).toMatchObject({ message: /not a certificate and its key/ })
    await put({ key })
    await refused({ ...files, tlsKey: join(folder, 'absent') }).toMatchObject({
      message: /absent cannot be read/,
    })
    expect(await openCertificate({ tlsCertificate: undefined, tlsKey: undefined }, log)).toBeUndefined()
  })
})

test('doctor looks at the files: their end, and the name that browsers ask for', async () => {
  const now = new Date('2026-11-30T00:00:00Z')
  const served = {
    validTo: new Date(now.getTime() + 90 * DAY_MS),
    host: 'akashi.example',
    names: (host: string) => host === 'akashi.example',
  }
  expect(judgeHttps(served, now)).toEqual({
    ok: true,
    detail: 'served over TLS, with a certificate until 2027-02-28',
  })
  expect(judgeHttps({ ...served, validTo: new Date(now.getTime() + 13 * DAY_MS) }, now)).toMatchObject({
    ok: false,
    detail: 'the certificate ends on 2026-12-13',
  })
  expect(judgeHttps({ ...served, host: 'other.example' }, now)).toMatchObject({
    ok: false,
    detail: expect.stringContaining('other.example'),
  })
  await put(selfSigned({ days: 30 }))
  const check = (publicUrl: string) =>
    https.run({ config: { ...files, publicUrl } } as unknown as Parameters<typeof https.run>[0])
  expect(await check('https://localhost')).toMatchObject({ ok: true })
  expect(await check('https://127.0.0.1')).toMatchObject({ ok: true })
  expect(await check('https://akashi.example')).toMatchObject({ ok: false })
})
