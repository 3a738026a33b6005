import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { createApiKey } from '../../src/identity/index.ts'
import type { Database } from '../../src/postgres/index.ts'
import { makeUser } from '../identity/people.ts'
import { testServer } from '../identity/server.ts'
import { testDatabase, tester } from '../support/index.ts'
import { listen, raw } from './support.ts'

const database = testDatabase()
const admin = database.open('security_admin')
const application = database.open('app')
const server = testServer(database)
/** More than are stored at once, so that a place that is not given back is missed. */
const MORE_THAN_PLACES = 40

let key: string
let port: number
/** Resolves each time a transaction that stores events is about to begin; it waits for `proceed`. */
let onStore: (signal: AbortSignal | undefined) => Promise<void> = async () => undefined

beforeAll(async () => {
  const user = await makeUser(database, 'security_admin')
  const made = await createApiKey(application, user, {
    name: 'events',
    scopes: ['events:read', 'events:write'],
  })
  key = made.key
  const watched: Database = {
    ...application,
    role: 'app',
    transaction: async (actor, work, options) => {
      await onStore(options?.signal)
      return await application.transaction(actor, work, options)
    },
  }
  const app = server.app({}, { app: watched })
  port = await listen(app)
  return () => app.close()
})

let made = 0
const event = () => {
  made += 1
  return {
    event_type: 'coupon_guessed',
    event_category: 'data_access',
    severity: 'medium',
    source_service: 'shop',
    user_name: `guest-${made}`,
    created_at: new Date().toISOString(),
  }
}

const stored = async () => {
  const { rows } = await admin.transaction(tester, (session) =>
    session.query<{ count: number }>(
      `select count(*)::integer as count from akashi_security.security_events where event_type = 'coupon_guessed'`,
    ),
  )
  return rows[0]?.count ?? -1
}

function send(body: string, type = 'application/json') {
  return fetch(`http://127.0.0.1:${port}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': type },
    body,
  })
}

function head(length: number): string {
  const headers = ['host: localhost', `authorization: Bearer ${key}`, 'content-type: application/json']
  return [
    'POST /v1/events HTTP/1.1',
    ...headers,
    `content-length: ${length}`,
    'connection: close',
    '',
    '',
  ].join('\r\n')
}

describe('POST /v1/events over a connection', () => {
  it('stores what is sent: one, an array, JSON lines', async () => {
    const before = await stored()
    for (const [body, type] of [
      [JSON.stringify(event())],
      [JSON.stringify([event(), event()])],
      [`${JSON.stringify(event())}\n${JSON.stringify(event())}\n`, 'application/x-ndjson'],
    ] as const) {
      const answer = await send(body, type)
      expect([answer.status, await answer.json()]).toMatchObject([200, { rejected: [] }])
    }
    expect(await stored()).toBe(before + 5)
  })

  it('says that a compressed body is not taken, as senders of logs like to send', async () => {
    const before = await stored()
    const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'content-encoding': 'gzip',
      },
      body: gzipSync(JSON.stringify(event())),
    })
    expect([answer.status, await answer.json()]).toMatchObject([
      415,
      { code: 'unsupported_media_type', hint: 'send it uncompressed, without content-encoding' },
    ])
    expect(await stored()).toBe(before)
  })

  it('waits for a slow sender', async () => {
    const before = await stored()
    const text = JSON.stringify(event())
    const socket = connect(port, '127.0.0.1').setEncoding('utf8')
    let answer = ''
    socket.on('data', (chunk: string) => {
      answer += chunk
    })
    const closed = once(socket, 'close')
    socket.write(head(text.length))
    for (let at = 0; at < text.length; at += 50) {
      socket.write(text.slice(at, at + 50))
      await sleep(20)
    }
    await closed
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
    expect(await stored()).toBe(before + 1)
  })

  it('stores nothing of a body that is cut off', async () => {
    const before = await stored()
    const text = JSON.stringify([event(), event()])
    for (let cut = 1; cut < MORE_THAN_PLACES; cut += 1) {
      const socket = connect(port, '127.0.0.1')
      await once(socket, 'connect')
      socket.write(`${head(text.length)}${text.slice(0, cut * 5)}`)
      socket.destroy()
    }
    expect((await send(JSON.stringify(event()))).status).toBe(200)
    expect(await stored()).toBe(before + 1)
  })

  it('stops storing for a sender who leaves, and gives the place to others', async () => {
    const before = await stored()
    const text = JSON.stringify(event())
    for (let n = 0; n < MORE_THAN_PLACES; n += 1) {
      const begun = Promise.withResolvers<AbortSignal | undefined>()
      const left = Promise.withResolvers<void>()
      onStore = async (signal) => {
        begun.resolve(signal)
        await left.promise
      }
      const socket = connect(port, '127.0.0.1')
      socket.write(`${head(text.length)}${text}`)
      const signal = await begun.promise
      expect(signal?.aborted).toBe(false)
      const aborted = new Promise((resolve) => signal?.addEventListener('abort', resolve))
      socket.destroy()
      await aborted
      left.resolve()
    }
    onStore = async () => undefined
    expect((await send(JSON.stringify(event()))).status).toBe(200)
    expect(await stored()).toBe(before + 1)
  })

  it('refuses a key without the scope before it reads the body', async () => {
    const user = await makeUser(database, 'security_admin')
    const other = await createApiKey(application, user, { name: 'reads', scopes: ['events:read'] })
    const announced = head(100_000).replace(key, other.key)
    expect(await raw(port, announced)).toMatch(/^HTTP\/1\.1 403 /)
  })
})
