import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import * as chat from '../../src/chat/index.ts'
import { openPasswords } from '../../src/identity/index.ts'
import { openKeyring, openPersonVault } from '../../src/keys/index.ts'
import { openObjectStore } from '../../src/object-store/index.ts'
import { person } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { CONTEXT_KEY } from '../support/settings.ts'

const database = testDatabase()

it('the sample workspace comes, is there once, and goes with its people', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-sample-'))
  const keyring = await openKeyring(pathToFileURL(join(folder, 'keys')).href)
  const parts: chat.SampleParts = {
    app: database.open('app'),
    worker: database.open('owner', { contextKey: CONTEXT_KEY }),
    vault: openPersonVault(keyring),
    passwords: openPasswords(),
    keyring,
    actor: tester,
    store: await openObjectStore(pathToFileURL(join(folder, 'objects')).href),
  }
  const people = await chat.addSample(parts)
  expect(people.map(({ username }) => username)).toEqual(['aoi', 'ken', 'mei', 'lukas'])
  await expect(chat.addSample(parts)).rejects.toMatchObject({ code: 'conflict' })
  const aoi = await database.asSuperuser((session) =>
    session.query<{ id: string }>(`select id from akashi_auth.users where username = 'aoi'`),
  )
  const actor = person({ userId: aoi.rows[0]?.id ?? '' })
  const rooms = await chat.listRooms(parts.app, actor)
  expect(rooms.map(({ name }) => name).sort()).toEqual(['direct', '採用 hiring', '総合 general'].sort())
  const general = rooms.find(({ name }) => name.endsWith('general'))
  const sender = await database.asSuperuser((session) =>
    session.query(
      'select original_name, received_at is not null as received from akashi_chat.file_uploads order by 1',
    ),
  )
  expect(sender.rows).toEqual([
    { original_name: 'restore-drill.txt', received: true },
    { original_name: '四半期 quarter.png', received: true },
  ])
  const { messages } = await chat.readHistory(parts.app, actor, general?.id ?? '')
  expect(messages.some(({ replyTo }) => replyTo !== null)).toBe(true)
  expect(messages.at(-1)).toMatchObject({ isEdited: true })
  expect(await chat.removeSample(parts)).toBe(4)
  expect(await chat.removeSample(parts)).toBe(0)
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ words: number; rooms: number }>(
      `select (select count(*)::int from akashi_chat.messages where content <> '') as words,
              (select count(*)::int from akashi_chat.rooms where not is_deleted and room_type <> 'direct') as rooms`,
    ),
  )
  expect(rows).toEqual([{ words: 0, rooms: 0 }])
  expect((await chat.addSample(parts)).length).toBe(4)
  await keyring.close()
  await rm(folder, { recursive: true, force: true })
})
