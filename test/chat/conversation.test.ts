/**
 * Two people chat over HTTP and the socket, in Japanese and English, and one of them is erased. The trail shows each
 * step, without the words, and the record verifies.
 */

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type {
  ChatFile,
  HistoryPage,
  Invitation,
  Member,
  Message,
  NotificationPage,
  Room,
  RoomEvent,
  SearchPage,
} from '@akashi/contract'
import { pino } from 'pino'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import * as chat from '../../src/chat/index.ts'
import { type ObjectStore, openObjectStore } from '../../src/object-store/index.ts'
import { person } from '../../src/postgres/index.ts'
import { type Browser, enrol, testServer } from '../identity/server.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const server = testServer(database)
const app = database.open('app')
const worker = database.open('worker')
const ledger = testLedger(worker)
const log = pino({ level: 'silent' })
const bus = chat.localBus()
const feed = chat.openFeed({ app, worker, bus, log })

let folder = ''
let store: ObjectStore
let http: ReturnType<typeof server.app>
let host = ''
let aoi: Browser
let aoiId = ''
let ken: Browser
let kenId = ''
let room: Room
let message: Message
let heard: RoomEvent[] = []
let socket: WebSocket

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'akashi-conversation-'))
  store = await openObjectStore(pathToFileURL(folder).href)
  http = server.app({}, { chat: { bus, feed }, store })
  await http.listen({ host: '127.0.0.1', port: 0 })
  host = `127.0.0.1:${(http.server.address() as AddressInfo).port}`
  aoiId = await server.user('aoi')
  kenId = await server.user('ken')
  aoi = server.browser(http)
  ken = server.browser(http)
  await aoi.signIn('aoi')
  await ken.signIn('ken')
})
afterAll(async () => {
  socket?.terminate()
  await http.close()
  await feed.close()
  await rm(folder, { recursive: true, force: true })
})

async function ask<T>(
  browser: Browser,
  ...[method, path, body, headers]: Parameters<Browser['send']>
): Promise<T> {
  const answer = await browser.send(method, `/v1/chat${path}`, body, headers)
  expect(answer.statusCode, answer.body).toBeLessThan(300)
  return answer.body === '' ? (null as T) : answer.json()
}

/** Rows of the trail about a table's row, oldest first. */
async function trail(table: string, id: string) {
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ operation: string; user_id: string | null; text: string }>(
      `select operation, user_id::text, coalesce(old_values::text, '') || coalesce(new_values::text, '') as text
       from akashi_audit.audit_logs where schema_name = 'akashi_chat' and table_name = $1 and strpos(record_id, $2) > 0 order by seq`,
      [table, id],
    ),
  )
  return rows
}

describe('two people', () => {
  it('make a room, and one invites the other', async () => {
    room = await ask<Room>(aoi, 'POST', '/rooms', { name: '監査 audit', type: 'private' })
    const { id } = await ask<{ id: string }>(aoi, 'POST', `/rooms/${room.id}/invitations`, { userId: kenId })
    const { invitations } = await ask<{ invitations: Invitation[] }>(ken, 'GET', '/invitations')
    expect(invitations).toMatchObject([{ id, room: { name: '監査 audit' } }])
    const told = await ask<NotificationPage>(ken, 'GET', '/notifications')
    expect(told.notifications).toMatchObject([{ type: 'invitation', room: { id: room.id } }])
    await ask(ken, 'POST', `/invitations/${id}/accept`)
    expect(
      (await trail('room_invitations', id)).map(({ operation, user_id }) => [operation, user_id]),
    ).toEqual([
      ['INSERT', aoiId],
      ['UPDATE', kenId],
    ])
  })

  it('send, reply, react and edit, and the other hears each', async () => {
    const cookie = [...ken.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    socket = new WebSocket(`ws://${host}/v1/chat/socket`, { headers: { cookie } })
    const answers: { id: string; result: Message }[] = []
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data))
      if (frame.type === 'event') heard.push(frame.event)
      if (frame.type === 'answer') answers.push(frame)
    })
    await once(socket, 'open')
    socket.send(JSON.stringify({ type: 'subscribe', id: 'here', roomId: room.id }))
    await expect.poll(() => answers.map(({ id }) => id)).toEqual(['here'])
    message = await ask<Message>(aoi, 'POST', `/rooms/${room.id}/messages`, {
      content: 'この変更は誰がしましたか',
      mentions: [kenId],
    })
    socket.send(
      JSON.stringify({
        type: 'send',
        id: 'reply',
        roomId: room.id,
        message: { content: 'It was me. 私です', replyToId: message.id },
      }),
    )
    await expect.poll(() => answers.at(-1)?.id).toBe('reply')
    const reply = answers.at(-1)?.result
    expect(reply).toMatchObject({ author: { id: kenId }, replyTo: { id: message.id } })
    await ask(aoi, 'PUT', `/messages/${reply?.id}/reactions/${encodeURIComponent('👍')}`)
    await ask(aoi, 'PATCH', `/messages/${message.id}`, { content: 'この変更は誰がいつしましたか' })
    await expect
      .poll(() => heard.map(({ type }) => type))
      .toEqual(['message_created', 'message_created', 'reaction_added', 'message_edited'])
    // What is sent, what is heard and what is read are the same.
    const { messages } = await ask<HistoryPage>(ken, 'GET', `/rooms/${room.id}/messages`)
    expect(messages.map(({ content }) => content)).toEqual([
      'この変更は誰がいつしましたか',
      'It was me. 私です',
    ])
    expect(heard[1]?.message).toEqual(reply)
    expect({ ...messages[1], reactions: [], replyTo: reply?.replyTo }).toEqual(reply)
    expect(messages[1]?.reactions).toEqual([{ emoji: '👍', userIds: [aoiId] }])
    const edits = await ask<{ edits: chat.MessageEdit[] }>(ken, 'GET', `/messages/${message.id}/edits`)
    expect(edits.edits.map(({ previousContent }) => previousContent)).toEqual(['この変更は誰がしましたか'])
  })

  it('send a picture, which the other sees once it was checked', async () => {
    const bytes = await sharp({ create: { width: 80, height: 40, channels: 3, background: '#268' } })
      .png()
      .toBuffer()
    const file = await ask<ChatFile>(
      aoi,
      'POST',
      `/rooms/${room.id}/files?name=${encodeURIComponent('図.png')}`,
      bytes,
      {
        'content-type': 'image/png',
      },
    )
    heard = []
    const sent = await ask<Message>(aoi, 'POST', `/rooms/${room.id}/messages`, {
      content: '',
      fileId: file.id,
    })
    expect(sent).toMatchObject({ type: 'image', file: { status: 'processing' } })
    await expect.poll(() => heard.length).toBe(1)
    expect(heard[0]?.message).toMatchObject({ id: sent.id, file: null })
    const scanner: chat.Scanner = { scan: () => Promise.resolve({ clean: true }) }
    await chat.inspectUploads({ worker, store, scanner, signal: new AbortController().signal }, tester)
    await expect.poll(() => heard.length).toBe(2)
    expect(heard[1]?.message?.file).toMatchObject({ id: file.id, status: 'completed', hasThumbnail: true })
    expect((await ken.send('GET', `/v1/chat/files/${file.id}/thumbnail`)).headers['content-type']).toBe(
      'image/webp',
    )
    const rows = await trail('file_uploads', file.id)
    expect(rows.length).toBeGreaterThanOrEqual(3)
    expect(JSON.stringify(rows)).not.toContain('図')
  })

  it('find it in Japanese, read it, and delete it', async () => {
    const find = async () =>
      (await ask<SearchPage>(ken, 'GET', `/search?q=${encodeURIComponent('変更')}`)).messages.map(
        ({ id }) => id,
      )
    expect(await find()).toEqual([message.id])
    const unread = async () => (await ask<Room>(ken, 'GET', `/rooms/${room.id}`)).unread
    expect(await unread()).toBeGreaterThan(0)
    const { messages } = await ask<HistoryPage>(ken, 'GET', `/rooms/${room.id}/messages`)
    await ask(ken, 'POST', `/messages/${messages.at(-1)?.id}/read`)
    expect(await unread()).toBe(0)
    await ask(aoi, 'DELETE', `/messages/${message.id}`)
    expect(await find()).toEqual([])
    const rows = await trail('messages', message.id)
    expect(rows.map(({ operation, user_id }) => [operation, user_id])).toEqual([
      ['INSERT', aoiId],
      ['UPDATE', aoiId],
      ['UPDATE', aoiId],
    ])
    for (const { text } of rows) expect(text).not.toContain('変更')
    expect(rows[0]?.text).toMatch(/"content": ?\{"sha256": ?"[0-9a-f]{64}"\}|"content": ?"[^"]*[0-9a-f]{64}/)
  })

  it('leave a record that verifies', async () => {
    await ledger.seal()
    expect(await ledger.problems()).toEqual([])
  })
})

describe('somebody who is erased', () => {
  it('leaves no word, and those who look on see it go', async () => {
    const own = await ask<Room>(ken, 'POST', '/rooms', { name: 'of ken' })
    await ask(aoi, 'POST', `/rooms/${own.id}/join`)
    const { id: pair } = await ask<Room>(aoi, 'POST', '/direct', { userId: kenId })
    const words = ['ぼくの言葉', 'my own words', '直接の言葉']
    const [first, , third] = [
      await ask<Message>(ken, 'POST', `/rooms/${own.id}/messages`, { content: words[0] }),
      await ask<Message>(
        ken,
        'PATCH',
        `/messages/${(await ask<Message>(ken, 'POST', `/rooms/${own.id}/messages`, { content: 'first version' })).id}`,
        { content: words[1] },
      ),
      await ask<Message>(ken, 'POST', `/rooms/${pair}/messages`, { content: words[2] }),
    ]
    const mine = await ask<Message>(aoi, 'POST', `/rooms/${own.id}/messages`, {
      content: 'mine',
      replyToId: first?.id,
    })
    await ask(ken, 'PUT', `/messages/${mine.id}/reactions/x`)
    const listened: Record<string, RoomEvent[]> = { [own.id]: [], [pair]: [] }
    for (const roomId of [own.id, pair]) {
      await feed.subscribe(roomId, {
        userId: aoiId,
        actor: person({ userId: aoiId }),
        onStart: () => undefined,
        onEvent: (event) => void listened[roomId]?.push(event),
        drained: () => Promise.resolve(),
        isFull: () => false,
        isGone: () => false,
        onTyping: () => undefined,
        onEnd: () => undefined,
      })
    }
    await server.user('admin', { role: 'sys_admin' })
    const admin = server.browser(http)
    await admin.signIn('admin')
    await enrol(admin, server.clock.now())
    const erased = await admin.send('POST', `/v1/users/${kenId}/erasure`, {
      confirm: 'ken',
      reason: 'asked for it',
    })
    expect(erased.statusCode, erased.body).toBeLessThan(300)

    await expect
      .poll(() => listened[own.id]?.map(({ type }) => type))
      .toEqual(['message_deleted', 'message_deleted', 'reaction_removed', 'member_changed', 'member_left'])
    await expect
      .poll(() => listened[pair]?.map(({ type }) => type))
      .toEqual(['message_deleted', 'member_left'])
    expect(listened[pair]?.[0]?.message).toMatchObject({
      id: third?.id,
      content: '',
      isDeleted: true,
      author: null,
    })
    // The room is not without an owner.
    const { members } = await ask<{ members: Member[] }>(aoi, 'GET', `/rooms/${own.id}/members`)
    expect(members.map(({ user, role }) => [user.id, role])).toEqual([[aoiId, 'owner']])
    const { messages } = await ask<HistoryPage>(aoi, 'GET', `/rooms/${own.id}/messages`)
    expect(messages.at(-1)).toMatchObject({
      content: 'mine',
      replyTo: { content: '', author: null },
      reactions: [],
    })

    const { rows } = await database.asSuperuser((session) =>
      session.query<{ text: string }>(
        `select m::text as text from akashi_chat.messages m union all select e::text from akashi_chat.message_edits e
         union all select f.original_name from akashi_chat.file_uploads f union all select n::text from akashi_chat.room_events n
         union all select concat(l.old_values, l.new_values, l.detail) from akashi_audit.audit_logs l where l.schema_name = 'akashi_chat'`,
      ),
    )
    for (const word of [...words, 'first version', 'It was me']) {
      expect(
        rows.filter(({ text }) => text.includes(word)),
        word,
      ).toEqual([])
    }
    await ledger.seal()
    expect(await ledger.problems()).toEqual([])
  })
})
