import type { Room } from '@akashi/contract'
import { beforeAll, expect, it } from 'vitest'
import * as chat from '../../src/chat/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { makePerson, type Person } from './people.ts'

const database = testDatabase()
const app = database.open('app')
const worker = database.open('worker')
const signal = new AbortController().signal
let aoi: Person
let room: Room

const ask = async (text: string, values: readonly unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<Record<string, unknown>>(text, values))).rows

beforeAll(async () => {
  aoi = await makePerson(database, app, 'aoi')
  room = await chat.createRoom(app, aoi.actor, { name: 'upkeep' })
})

/** 365 days after the last change of a deleted message, 7 days after a failed upload. */
it('removes what has outlived its time, and nothing else', async () => {
  const [old, fresh, kept] = await Promise.all(
    ['old', 'fresh', 'kept'].map((content) => chat.postMessage(app, aoi.actor, room.id, { content })),
  )
  for (const message of [old, fresh]) await chat.deleteMessage(app, aoi.actor, message?.id ?? '')
  await ask('alter table akashi_chat.messages disable trigger all')
  await ask(`update akashi_chat.messages set updated_at = now() - interval '366 days' where id = any ($1)`, [
    [old?.id, kept?.id],
  ])
  await ask('alter table akashi_chat.messages enable trigger all')
  const files = `insert into akashi_chat.file_uploads (user_id, room_id, original_name, file_name, file_size, mime_type, file_path,
      upload_status, failure_reason, created_at, received_at)
    select $1, $2, name, name, 1, 'text/plain', name, status, reason, at, null from (values
      ('failed-old', 'failed', 'x', now() - interval '8 days'), ('failed-new', 'failed', 'x', now() - interval '6 days'),
      ('cut-short', 'processing', null, now() - interval '2 days')) t (name, status, reason, at)`
  await ask(files, [aoi.id, room.id])
  await ask(
    `update akashi_chat.room_events set created_at = now() - interval '8 days' where room_id = $1 and sequence = 1`,
    [room.id],
  )
  const removed = await chat.purgeExpired(worker, tester, signal)
  expect(removed).toMatchObject({
    'deleted messages': 1,
    'failed uploads': 1,
    'uploads given up': 1,
    'room events': 1,
  })
  expect(
    await ask('select content, is_deleted from akashi_chat.messages where room_id = $1 order by created_at', [
      room.id,
    ]),
  ).toHaveLength(2)
  expect(
    await ask('select original_name, upload_status, is_deleted from akashi_chat.file_uploads order by 1'),
  ).toEqual([
    { original_name: 'cut-short', upload_status: 'failed', is_deleted: false },
    { original_name: 'failed-new', upload_status: 'failed', is_deleted: false },
    { original_name: 'failed-old', upload_status: 'failed', is_deleted: true },
  ])
  expect(await chat.purgeExpired(worker, tester, signal)).toEqual({
    'deleted messages': 0,
    'failed uploads': 0,
    'uploads given up': 0,
    'unsent files': 0,
    'copies of keys of rooms': 0,
    'room events': 0,
    notifications: 0,
  })
})

it('goes by the settings', async () => {
  const message = await chat.postMessage(app, aoi.actor, room.id, { content: 'soon gone' })
  await chat.deleteMessage(app, aoi.actor, message.id)
  await ask('alter table akashi_chat.messages disable trigger all')
  await ask(`update akashi_chat.messages set updated_at = now() - interval '11 days' where id = $1`, [
    message.id,
  ])
  await ask('alter table akashi_chat.messages enable trigger all')
  await ask(
    `insert into akashi_chat.file_uploads (user_id, room_id, original_name, file_name, file_size, mime_type, file_path,
       upload_status, failure_reason, created_at)
     values ($1, $2, 'later', 'later', 1, 'text/plain', 'later', 'failed', 'x', now() - interval '11 days')`,
    [aoi.id, room.id],
  )
  const change = (key: string, days: number) =>
    ask('update akashi_lifecycle.settings set value = $2 where key = $1', [key, JSON.stringify(days)])
  await change('deleted_messages.retention_days', 12)
  await change('temporary_data.retention_days', 12)
  const none = { 'deleted messages': 0, 'failed uploads': 0 }
  expect(await chat.purgeExpired(worker, tester, signal)).toMatchObject(none)
  await change('deleted_messages.retention_days', 10)
  expect(await chat.purgeExpired(worker, tester, signal)).toMatchObject({ ...none, 'deleted messages': 1 })
  await change('temporary_data.retention_days', 10)
  expect(await chat.purgeExpired(worker, tester, signal)).toMatchObject({ ...none, 'failed uploads': 1 })
  await change('deleted_messages.retention_days', 365)
  await change('temporary_data.retention_days', 7)
})

it('shows a security administrator a room for a reason, and keeps the reason', async () => {
  const secret = await chat.createRoom(app, aoi.actor, { name: 'secret', type: 'private' })
  await chat.postMessage(app, aoi.actor, secret.id, { content: 'private words' })
  const admin = database.open('security_admin')
  const read = (reason: string) =>
    admin.transaction(tester, (session) =>
      session.query<{ content: string }>('select content from akashi_chat.read_as_security_admin($1, $2)', [
        secret.id,
        reason,
      ]),
    )
  await expect(read('why not')).rejects.toMatchObject({ code: 'invalid_input' })
  expect((await read('incident 4711, ordered by the board')).rows).toEqual([{ content: 'private words' }])
  await expect(
    admin.transaction(tester, (session) => session.query('select content from akashi_chat.messages')),
  ).rejects.toMatchObject({ code: 'forbidden' })
  const trail = await ask(
    `select detail ->> 'reason' as reason from akashi_audit.audit_logs where event_type = 'data_access' and resource = 'akashi_chat.messages'`,
  )
  expect(trail).toEqual([{ reason: 'incident 4711, ordered by the board' }])
})

it('takes messages past the end of every month that is made ahead', async () => {
  const over = await chat.createRoom(app, aoi.actor, { name: 'months' })
  const first = await chat.postMessage(app, aoi.actor, over.id, { content: 'now' })
  const sent = [first]
  for (const ahead of [1, 2, 3]) {
    // As when a message comes in the last millisecond of a month.
    await ask(
      `update akashi_chat.room_sequences set last_message_at =
         date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' + make_interval(months => $2) - interval '1 ms'
       where room_id = $1`,
      [over.id, ahead],
    )
    sent.push(await chat.postMessage(app, aoi.actor, over.id, { content: `${ahead}`, replyToId: first.id }))
  }
  const parts = await ask(
    'select tableoid::regclass::text as part, content from akashi_chat.messages where room_id = $1 order by created_at',
    [over.id],
  )
  expect(new Set(parts.map(({ part }) => part)).size).toBe(4)
  const { messages } = await chat.readHistory(app, aoi.actor, over.id)
  expect(messages.map(({ content }) => content)).toEqual(['now', '1', '2', '3'])
  expect(messages.at(-1)?.replyTo).toMatchObject({ id: first.id, content: 'now' })
  // What hangs on a message of another month works as it does in this one.
  await chat.setReaction(app, aoi.actor, first.id, '👍', true)
  await chat.editMessage(app, aoi.actor, sent[3]?.id ?? '', { content: 'edited' })
  expect(await chat.readMessage(app, aoi.actor, sent[3]?.id ?? '')).toMatchObject({
    content: 'edited',
    isEdited: true,
  })
})

it('notifies as a person prefers, in general and by room, and says what was delivered', async () => {
  const ken = await makePerson(database, app, 'ken')
  const talk = await chat.createRoom(app, aoi.actor, { name: 'talk' })
  await chat.joinRoom(app, ken.actor, talk.id)
  const question = await chat.postMessage(app, ken.actor, talk.id, { content: 'a question' })
  const say = async () => {
    await chat.postMessage(app, aoi.actor, talk.id, { content: 'plain' })
    await chat.postMessage(app, aoi.actor, talk.id, { content: '@ken', mentions: [ken.id] })
    await chat.postMessage(app, aoi.actor, talk.id, { content: 'an answer', replyToId: question.id })
    const { notifications } = await chat.listNotifications(app, ken.actor)
    await ask('delete from akashi_chat.notifications where user_id = $1', [ken.id])
    return notifications.map(({ type }) => type).sort()
  }
  expect(await say()).toEqual(['mention', 'reply'])
  await chat.setNotificationLevel(app, ken.actor, talk.id, 'all')
  expect(await say()).toEqual(['mention', 'message', 'reply'])
  await chat.setPreferences(app, ken.actor, { notifyReplies: false })
  expect(await say()).toEqual(['mention', 'message'])
  await chat.setPreferences(app, ken.actor, { notifyMentions: false })
  expect(await say()).toEqual(['message'])
  await chat.setNotificationLevel(app, ken.actor, talk.id, 'none')
  await chat.setPreferences(app, ken.actor, { notifyMentions: true, notifyReplies: true })
  expect(await say()).toEqual([])
  await chat.setNotificationLevel(app, ken.actor, talk.id, 'mentions')
  await chat.postMessage(app, aoi.actor, talk.id, { content: '@ken', mentions: [ken.id] })
  const state = () =>
    ask(
      'select delivery_status, delivered_at is not null as at from akashi_chat.notifications where user_id = $1',
      [ken.id],
    )
  expect(await state()).toEqual([{ delivery_status: 'pending', at: false }])
  await chat.listNotifications(app, ken.actor)
  expect(await state()).toEqual([{ delivery_status: 'delivered', at: true }])
})

it('keeps presence and direct rooms from whom they are not for', async () => {
  const [shy, pal, stranger] = [
    await makePerson(database, app, 'shy'),
    await makePerson(database, app, 'pal'),
    await makePerson(database, app, 'stranger'),
  ]
  const shared = await chat.createRoom(app, pal.actor, { name: 'shared' })
  await chat.joinRoom(app, shy.actor, shared.id)
  await ask(
    `insert into akashi_auth.user_sessions (user_id, session_token_hash, status, last_activity, expires_at)
     values ($1, sha256('shy'), 'online', now(), now() + interval '1 day')`,
    [shy.id],
  )
  expect(await chat.presenceOf(app, pal.actor, [shy.id])).toEqual([{ userId: shy.id, status: 'online' }])
  expect(await chat.presenceOf(app, stranger.actor, [shy.id])).toEqual([])
  await chat.setPreferences(app, shy.actor, { showPresence: false, directMessages: 'shared_rooms' })
  expect(await chat.presenceOf(app, pal.actor, [shy.id])).toEqual([{ userId: shy.id, status: 'offline' }])
  await expect(chat.openDirectRoom(app, stranger.actor, shy.id)).rejects.toMatchObject({ code: 'not_found' })
  expect(await chat.openDirectRoom(app, pal.actor, shy.id)).toMatchObject({ type: 'direct' })
})
