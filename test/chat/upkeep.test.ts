import { beforeAll, expect, it } from 'vitest'
import * as chat from '../../src/chat/index.ts'
import { testDatabase } from '../support/index.ts'
import { makePerson, type Person } from './people.ts'

const database = testDatabase()
const app = database.open('app')
const worker = database.open('worker')
const signal = new AbortController().signal
let aoi: Person
let room: chat.Room

const ask = async (text: string, values: readonly unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<Record<string, unknown>>(text, values))).rows

beforeAll(async () => {
  aoi = await makePerson(database, app, 'aoi')
  room = await chat.createRoom(app, aoi.actor, { name: 'upkeep' })
})

/** S1 4.3: 365 days after the last change of a deleted message, 7 days after a failed upload. */
it('removes what has outlived its time, and nothing else', async () => {
  const [old, fresh, kept] = await Promise.all(
    ['old', 'fresh', 'kept'].map((content) => chat.postMessage(app, aoi.actor, room.id, { content })),
  )
  for (const message of [old, fresh]) await chat.deleteMessage(app, aoi.actor, message?.id ?? '')
  await ask('alter table chat.messages disable trigger all')
  await ask(`update chat.messages set updated_at = now() - interval '366 days' where id = any ($1)`, [
    [old?.id, kept?.id],
  ])
  await ask('alter table chat.messages enable trigger all')
  const files = `insert into chat.file_uploads (user_id, room_id, original_name, file_name, file_size, mime_type, file_path,
      upload_status, failure_reason, created_at, received_at)
    select $1, $2, name, name, 1, 'text/plain', name, status, reason, at, null from (values
      ('failed-old', 'failed', 'x', now() - interval '8 days'), ('failed-new', 'failed', 'x', now() - interval '6 days'),
      ('cut-short', 'processing', null, now() - interval '2 days')) t (name, status, reason, at)`
  await ask(files, [aoi.id, room.id])
  await ask(
    `update chat.room_events set created_at = now() - interval '8 days' where room_id = $1 and sequence = 1`,
    [room.id],
  )
  const removed = await chat.purgeExpired(worker, signal)
  expect(removed).toMatchObject({
    'deleted messages': 1,
    'failed uploads': 1,
    'uploads given up': 1,
    'room events': 1,
  })
  expect(
    await ask('select content, is_deleted from chat.messages where room_id = $1 order by created_at', [
      room.id,
    ]),
  ).toHaveLength(2)
  expect(
    await ask('select original_name, upload_status, is_deleted from chat.file_uploads order by 1'),
  ).toEqual([
    { original_name: 'cut-short', upload_status: 'failed', is_deleted: false },
    { original_name: 'failed-new', upload_status: 'failed', is_deleted: false },
    { original_name: 'failed-old', upload_status: 'failed', is_deleted: true },
  ])
  expect(await chat.purgeExpired(worker, signal)).toEqual({
    'deleted messages': 0,
    'failed uploads': 0,
    'uploads given up': 0,
    'room events': 0,
    notifications: 0,
  })
})

it('shows a security administrator a room for a reason, and keeps the reason', async () => {
  const secret = await chat.createRoom(app, aoi.actor, { name: 'secret', type: 'private' })
  await chat.postMessage(app, aoi.actor, secret.id, { content: 'private words' })
  const admin = database.open('security_admin')
  const read = (reason: string) =>
    admin.transaction({}, (session) =>
      session.query<{ content: string }>('select content from chat.read_as_security_admin($1, $2)', [
        secret.id,
        reason,
      ]),
    )
  await expect(read('why not')).rejects.toMatchObject({ code: 'invalid_input' })
  expect((await read('incident 4711, ordered by the board')).rows).toEqual([{ content: 'private words' }])
  await expect(
    admin.transaction({}, (session) => session.query('select content from chat.messages')),
  ).rejects.toMatchObject({ code: 'forbidden' })
  const trail = await ask(
    `select detail ->> 'reason' as reason from audit.audit_logs where event_type = 'data_access' and resource = 'chat.messages'`,
  )
  expect(trail).toEqual([{ reason: 'incident 4711, ordered by the board' }])
})
