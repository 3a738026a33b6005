/** What somebody who should not tries. Routes are taken from the API's own description, so that a new one is tried too. */

import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MAX_FILE_BYTES, operations } from '@akashi/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cookieNames } from '../../src/http/plugins/session-cookie.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import { overSocket } from '../http/client.ts'
import { type Browser, testServer } from '../identity/server.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()
const server = testServer(database)
const SECRET = '秘密 nobody else may read this'

type Method = Parameters<Browser['send']>[0]
interface Route {
  readonly method: Method
  readonly path: string
}

let folder = ''
let http: ReturnType<typeof server.app>
let routes: readonly Route[] = []
let aoi: Browser
let aoiId: string
/** Was never in the room. */
let ken: Browser
let kenId: string
/** Was in the room and was removed. */
let mei: Browser
let meiId: string
/** What is aoi's: by the names that parameters of paths have. */
const hers: Record<string, string> = {}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-attacks-'))
  http = server.app({}, { store: await openObjectStore(pathToFileURL(folder).href) })
  await http.listen({ host: '127.0.0.1', port: 0 })
  const { paths } = (await overSocket(http, '/docs/json')).json<{
    paths: Record<string, Record<string, unknown>>
  }>()
  routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => ({ method: method.toUpperCase() as Method, path })),
  )
  ;[aoi, ken, mei] = [server.browser(http), server.browser(http), server.browser(http)]
  aoiId = await server.user('aoi')
  kenId = await server.user('ken')
  meiId = await server.user('mei')
  await aoi.signIn('aoi')
  await ken.signIn('ken')
  await mei.signIn('mei')
  const post = async (browser: Browser, path: string, body: object) =>
    (await browser.send('POST', `/v1/chat${path}`, body)).json()
  const room = await post(aoi, '/rooms', { name: SECRET, type: 'private' })
  const invitation = await post(aoi, `/rooms/${room.id}/invitations`, { userId: meiId })
  await mei.send('POST', `/v1/chat/invitations/${invitation.id}/accept`)
  const message = await post(aoi, `/rooms/${room.id}/messages`, { content: SECRET })
  await aoi.send('PATCH', `/v1/chat/messages/${message.id}`, { content: `${SECRET}!` })
  const file = await aoi.send(
    'POST',
    `/v1/chat/rooms/${room.id}/files?name=${encodeURIComponent(SECRET)}`,
    Buffer.from(SECRET),
    {
      'content-type': 'text/plain',
    },
  )
  await aoi.send('DELETE', `/v1/chat/rooms/${room.id}/members/${meiId}`)
  const other = await server.user('lea')
  const waiting = await post(aoi, `/rooms/${room.id}/invitations`, { userId: other })
  Object.assign(hers, {
    avatarId: randomUUID(),
    roomId: room.id,
    messageId: message.id,
    fileId: file.json().id,
    invitationId: waiting.id,
    userId: aoiId,
    emoji: encodeURIComponent('👍'),
  })
})
afterAll(async () => {
  await http.close()
  await rm(folder, { recursive: true, force: true })
})

/** Every row of the chat, digested by table. */
async function everything(): Promise<Record<string, string>> {
  return await database.asSuperuser(async (session) => {
    const { rows: tables } = await session.query<{ name: string }>(
      `select format('akashi_chat.%I', c.relname) as name from pg_class c
       where c.relnamespace = 'akashi_chat'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by 1`,
    )
    const digests: Record<string, string> = {}
    for (const { name } of tables) {
      const { rows } = await session.query<{ digest: string }>(
        `select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') as digest from ${name} t`,
      )
      digests[name] = rows[0]?.digest ?? ''
    }
    return digests
  })
}

const mutates = ({ method }: Route) => !['GET', 'HEAD', 'OPTIONS'].includes(method)

/** Bodies that would be taken from a member. A route that needs one and has none here fails the test. */
const bodies: Record<string, () => object | undefined> = {
  'PATCH /v1/chat/rooms/{roomId}': () => ({ name: 'mine now' }),
  'PUT /v1/chat/rooms/{roomId}/notification-level': () => ({ level: 'all' }),
  'POST /v1/chat/rooms/{roomId}/files': () => Buffer.from('x'),
  'PATCH /v1/chat/rooms/{roomId}/members/{userId}': () => ({ role: 'member' }),
  'POST /v1/chat/rooms/{roomId}/invitations': () => ({ userId: kenId }),
  'POST /v1/chat/rooms/{roomId}/messages': () => ({ content: 'let me in' }),
  'PATCH /v1/chat/messages/{messageId}': () => ({ content: 'mine now' }),
  'PUT /v1/chat/messages/{messageId}/classification': () => ({ classification: 'restricted' }),
  'PUT /v1/chat/files/{fileId}/classification': () => ({ classification: 'restricted' }),
}
/** Query strings without which a route is not reached. */
const queries: Record<string, string> = {
  'POST /v1/chat/rooms/{roomId}/files': '?name=x',
  'GET /v1/chat/rooms/{roomId}/events': '?after=0',
}
/** Lists of a room, which are empty for whoever may not see it, as they are for a room that is not there. */
const lists = [
  'GET /v1/chat/rooms/{roomId}/messages',
  'GET /v1/chat/rooms/{roomId}/events',
  'GET /v1/chat/rooms/{roomId}/members',
  'GET /v1/chat/rooms/{roomId}/invitations',
  'GET /v1/chat/messages/{messageId}/edits',
  'GET /v1/chat/rooms/{roomId}/pins',
]
/** Taking away what one does not have succeeds, and says nothing about the room or message. */
const withdrawals = ['DELETE /v1/chat/messages/{messageId}/saved', 'DELETE /v1/chat/rooms/{roomId}/favourite']

describe('somebody else’s room', () => {
  it.each([
    ['a stranger', () => ken],
    ['somebody who was removed', () => mei],
  ])('is neither read nor changed by %s, on any route', async (_, who) => {
    const before = await everything()
    const tried = routes.filter(({ path }) => path.startsWith('/v1/chat/') && path.includes('{'))
    expect(tried.length).toBeGreaterThan(20)
    for (const { method, path } of tried) {
      const name = `${method} ${path}`
      const url = path.replaceAll(/\{(\w+)\}/g, (__, parameter: string) => {
        const value = hers[parameter]
        if (value === undefined)
          throw new Error(`${name} has a parameter that this test does not know: ${parameter}`)
        return value
      })
      const body = bodies[name]?.()
      const answer = await who().send(method, url + (queries[name] ?? ''), body, {
        ...(Buffer.isBuffer(body) ? { 'content-type': 'text/plain' } : {}),
      })
      const allowed = lists.includes(name) ? [200] : withdrawals.includes(name) ? [204] : []
      expect([404, 403, ...allowed], `${name}: ${answer.body}`).toContain(answer.statusCode)
      expect(answer.body, name).not.toContain('秘密')
      expect(answer.body, name).not.toContain(aoiId)
    }
    expect(await everything()).toEqual(before)
  })

  it('is not found by asking for it in a query', async () => {
    const { roomId, messageId } = hers
    for (const url of [
      `/v1/chat/search?q=${encodeURIComponent('秘密')}`,
      `/v1/chat/search?q=${encodeURIComponent('秘密')}&roomId=${roomId}`,
      `/v1/chat/search?q=nobody&senderId=${aoiId}&before=${messageId}`,
      `/v1/chat/people?q=aoi&roomId=${roomId}`,
      `/v1/chat/presence?userId=${aoiId}`,
      `/v1/chat/directory?q=${encodeURIComponent('秘密')}`,
      '/v1/chat/rooms',
      '/v1/chat/invitations',
      '/v1/chat/notifications',
    ]) {
      const answer = await ken.send('GET', url)
      expect(answer.statusCode, answer.body).toBe(200)
      expect(answer.body, url).not.toContain('秘密')
      expect(answer.body, url).not.toContain(aoiId)
    }
  })

  it('is not entered through another room of one’s own', async () => {
    const own = (await ken.send('POST', '/v1/chat/rooms', { name: 'own' })).json().id
    const before = await everything()
    for (const body of [
      { content: 'a quote', replyToId: hers['messageId'] },
      { content: '', fileId: hers['fileId'] },
    ]) {
      expect((await ken.send('POST', `/v1/chat/rooms/${own}/messages`, body)).statusCode).toBe(404)
    }
    expect(await everything()).toEqual(before)
    const page = await ken.send('GET', `/v1/chat/rooms/${own}/messages?around=${hers['messageId']}`)
    expect(page.body).not.toContain('秘密')
  })
})

describe('an invitation', () => {
  it('lets nobody in twice, late, or in another’s place', async () => {
    const room = (await aoi.send('POST', '/v1/chat/rooms', { name: 'by invitation', type: 'private' })).json()
      .id
    const invite = async (): Promise<string> =>
      (await aoi.send('POST', `/v1/chat/rooms/${room}/invitations`, { userId: kenId })).json().id
    const accept = async (browser: Browser, id: string) =>
      (await browser.send('POST', `/v1/chat/invitations/${id}/accept`)).statusCode
    const first = await invite()
    expect(await accept(mei, first)).toBe(404)
    expect(await accept(aoi, first)).toBe(404)
    expect(await accept(ken, first)).toBe(200)
    await aoi.send('DELETE', `/v1/chat/rooms/${room}/members/${kenId}`)
    expect(await accept(ken, first)).toBe(409)
    const revoked = await invite()
    await aoi.send('DELETE', `/v1/chat/invitations/${revoked}`)
    expect([404, 409]).toContain(await accept(ken, revoked))
    const declined = await invite()
    await ken.send('POST', `/v1/chat/invitations/${declined}/decline`)
    expect(await accept(ken, declined)).toBe(409)
    const late = await invite()
    await database.asSuperuser((session) =>
      session.query(
        `update akashi_chat.room_invitations set expires_at = now() - interval '1 second' where id = $1`,
        [late],
      ),
    )
    expect([404, 409]).toContain(await accept(ken, late))
    expect((await ken.send('GET', `/v1/chat/rooms/${room}`)).statusCode).toBe(404)
  })
})

describe('a request that another page makes in somebody’s browser', () => {
  /** Answered without a session, so what a cookie says means nothing to them; another origin is refused still. */
  const withoutSession = ['POST /v1/session', 'POST /v1/session/passkey', 'POST /v1/evidence-room/session']

  it('changes nothing, on any route', async () => {
    const changing = routes.filter(mutates)
    expect(changing.length).toBeGreaterThan(40)
    const before = await everything()
    // The second belongs to an evidence link, which has sessions of its own.
    const cookie = [...aoi.cookies, [cookieNames.evidence, 'x']]
      .map(([name, value]) => `${name}=${value}`)
      .join('; ')
    for (const { method, path } of changing) {
      const name = `${method} ${path}`
      const url = path.replaceAll(/\{(\w+)\}/g, (_, parameter: string) => hers[parameter] ?? aoiId)
      const send = async (headers: Record<string, string>) =>
        (
          await overSocket(http, {
            method,
            url,
            headers: { host: 'localhost:4180', cookie, ...headers },
          })
        ).statusCode
      if (!withoutSession.includes(name)) expect(await send({}), name).toBe(403)
      const own = { 'x-akashi-request': '1' }
      expect(await send({ ...own, origin: 'https://elsewhere.example' }), name).toBe(403)
      expect(await send({ ...own, origin: 'null' }), name).toBe(403)
      expect(await send({ ...own, 'sec-fetch-site': 'cross-site' }), name).toBe(403)
      expect(await send({ ...own, 'sec-fetch-site': 'same-site' }), name).toBe(403)
    }
    expect(await everything()).toEqual(before)
  })
})

describe('what is written as if it were a page', () => {
  const corpus = [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '"><svg/onload=alert(1)>',
    "';alert(String.fromCharCode(88,83,83))//",
    '<iframe srcdoc="<script>alert(1)</script>">',
    'javascript:alert(1)',
    '[click](javascript:alert(1))',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    '</script><script>alert(1)</script>',
    '<math><mtext></p><style><!--</style><img title="--><img src=1 onerror=alert(1)>">',
    '{{constructor.constructor("alert(1)")()}}',
    '\u202e<script>\u2028alert(1)',
  ]
  it.each(corpus)('comes back as it was, as data and nothing else: %s', async (text) => {
    const room = await aoi.send('POST', '/v1/chat/rooms', { name: text.slice(0, 100), description: text })
    const { id } = room.json()
    const sent = await aoi.send('POST', `/v1/chat/rooms/${id}/messages`, { content: text })
    expect(sent.json().content).toBe(text)
    for (const url of [
      `/v1/chat/rooms/${id}/messages`,
      `/v1/chat/rooms/${id}`,
      `/v1/chat/search?q=alert&roomId=${id}`,
    ]) {
      const answer = await aoi.send('GET', url)
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
      expect(answer.headers['x-content-type-options']).toBe('nosniff')
      expect(answer.headers['content-security-policy']).toMatch(/default-src '(none|self)'/)
    }
  })
})

describe('a file', () => {
  it.each([
    ['../../etc/passwd', 'passwd'],
    ['..\\..\\windows\\win.ini', 'win.ini'],
    ['/absolute/name.txt', 'name.txt'],
    ['..', 'file'],
    ['.', 'file'],
    ['a/../..', 'file'],
    ['name\r\nset-cookie: x=1', 'nameset-cookie: x=1'],
    ['nul\u0000.txt', 'nul.txt'],
    ['exe\u202efdp.gnp', 'exefdp.gnp'],
    ['%2e%2e%2fname', '%2e%2e%2fname'],
    ['https://example.com/x.html', 'x.html'],
    ['あ'.repeat(400), 'あ'.repeat(255)],
  ])('named %j is shown as %j and stored under a name of its own', async (given, shown) => {
    const { roomId } = hers
    const answer = await aoi.send(
      'POST',
      `/v1/chat/rooms/${roomId}/files?name=${encodeURIComponent(given)}`,
      Buffer.from('x'),
      {
        'content-type': 'text/plain',
      },
    )
    expect(answer.statusCode, answer.body).toBe(201)
    const { id, name } = operations['GET /v1/chat/files/{fileId}'].response.parse(answer.json())
    expect(name).toBe(shown)
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ path: string }>(
        'select file_path as path from akashi_chat.file_uploads where id = $1',
        [id],
      ),
    )
    expect(rows).toEqual([{ path: `chat/${roomId}/${id}/received` }])
  })

  it('that says it has a byte too many is refused before it is sent', async () => {
    const { port } = http.server.address() as AddressInfo
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port,
          method: 'POST',
          path: `/v1/chat/rooms/${hers['roomId']}/files?name=x`,
          headers: {
            cookie: [...aoi.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
            'x-akashi-request': '1',
            'content-type': 'application/octet-stream',
            'content-length': String(MAX_FILE_BYTES + 1),
          },
        },
        (answer) => {
          resolve(answer.statusCode)
          asked.destroy()
        },
      )
      asked.on('error', reject)
      asked.flushHeaders()
    })
    expect(status).toBe(413)
  })
})
