/** Labels of rooms, messages and files, set and read over HTTP. */
import { MAX_COMPLIANCE_TAGS } from '@akashi/contract'
import { beforeAll, expect, it } from 'vitest'
import { testCallers } from '../http/callers.ts'
import { testDatabase } from '../support/index.ts'

const { origin, ask, idOf, named, send } = testCallers(testDatabase())
const owner = () => named('a plain user')
const member = () => named('a foreign session')
const stranger = () => named('viewer')

const OK = 200
const NO_CONTENT = 204

let room = ''
let message = ''
let file = ''

const made = async (...request: Parameters<typeof send>): Promise<{ id: string }> =>
  JSON.parse((await send(...request)).text)
const read = async (path: string): Promise<Record<string, unknown>> =>
  JSON.parse((await send(owner(), 'GET', path)).text)

beforeAll(async () => {
  for (const name of ['a plain user', 'a foreign session']) {
    await ask(
      `insert into akashi_auth.user_roles (user_id, role_id) select $1, id from akashi_auth.roles where name = 'viewer'`,
      [idOf(name)],
    )
  }
  room = (await made(owner(), 'POST', '/v1/chat/rooms', { name: 'labels' })).id
  await send(member(), 'POST', `/v1/chat/rooms/${room}/join`)
  message = (await made(member(), 'POST', `/v1/chat/rooms/${room}/messages`, { content: 'x' })).id
  const uploaded = await fetch(`${origin()}/v1/chat/rooms/${room}/files?name=a.txt`, {
    method: 'POST',
    headers: { ...member().headers, 'content-type': 'text/plain' },
    body: 'abc',
  })
  file = ((await uploaded.json()) as { id: string }).id
  // As if it had been scanned and sent.
  await ask(
    `update akashi_chat.file_uploads set upload_status = 'completed', virus_scanned = true, message_id = $2 where id = $1`,
    [file, message],
  )
})

it('a room takes a classification and tags from its owner, and gives its classification to what is sent', async () => {
  const tags = { pci: true, retention: '７年', level: 2 }
  const changed = await send(owner(), 'PATCH', `/v1/chat/rooms/${room}`, {
    classification: 'confidential',
    complianceTags: tags,
  })
  expect(changed.status).toBe(OK)
  expect(await read(`/v1/chat/rooms/${room}`)).toMatchObject({
    classification: 'confidential',
    complianceTags: tags,
  })
  const sent = await made(member(), 'POST', `/v1/chat/rooms/${room}/messages`, { content: 'y' })
  expect(sent).toMatchObject({ classification: 'confidential' })
  expect(await send(member(), 'PATCH', `/v1/chat/rooms/${room}`, { complianceTags: {} })).toMatchObject({
    status: 403,
  })
})

it.each([
  ['an unknown label', { classification: 'secret' }],
  ['a list', { complianceTags: ['pci'] }],
  ['a tag with members', { complianceTags: { nested: { deep: true } } }],
  ['a name with U+0000', { complianceTags: { 'a\u0000': true } }],
  ['a long tag', { complianceTags: { a: 'x'.repeat(300) } }],
  [
    'many tags',
    {
      complianceTags: Object.fromEntries(
        Array.from({ length: MAX_COMPLIANCE_TAGS + 1 }, (_, at) => [at, true]),
      ),
    },
  ],
])('a room does not take %s', async (_, body) => {
  const before = await read(`/v1/chat/rooms/${room}`)
  expect(await send(owner(), 'PATCH', `/v1/chat/rooms/${room}`, body)).toMatchObject({ status: 400 })
  expect(await read(`/v1/chat/rooms/${room}`)).toEqual(before)
})

it.each([
  ['messages', () => message],
  ['files', () => file],
])(
  'a classification of %s is raised by who sent it, set by the owner of the room, hidden from others',
  async (kind, id) => {
    const path = `/v1/chat/${kind}/${id()}`
    const set = (caller: Parameters<typeof send>[0], classification: unknown) =>
      send(caller, 'PUT', `${path}/classification`, { classification })
    expect(await set(member(), 'restricted')).toMatchObject({ status: NO_CONTENT })
    expect(await read(path)).toMatchObject({ classification: 'restricted' })
    expect(await set(member(), 'public')).toMatchObject({ status: 403 })
    expect(await set(stranger(), 'public')).toMatchObject({ status: 404 })
    expect(await set(owner(), 'secret')).toMatchObject({ status: 400 })
    expect(await set(owner(), undefined)).toMatchObject({ status: 400 })
    expect(await read(path)).toMatchObject({ classification: 'restricted' })
    expect(await set(owner(), 'internal')).toMatchObject({ status: NO_CONTENT })
    expect(await read(path)).toMatchObject({ classification: 'internal' })
  },
)

it('every change of a label is in the trail, with who made it', async () => {
  const rows = await ask<{ table: string; from: string; to: string; mine: boolean }>(
    `select table_name as table, old_values ->> 'security_classification' as from, new_values ->> 'security_classification' as to,
       user_id = $1 as mine
     from akashi_audit.audit_logs where operation = 'UPDATE' and record_id ~ $2 and 'security_classification' = any (changed_fields)
     order by created_at, id`,
    // The key of a message also holds its time.
    [owner().userId, `${room}|${message}|${file}`],
  )
  expect(rows).toEqual([
    { table: 'rooms', from: 'internal', to: 'confidential', mine: true },
    { table: 'messages', from: 'internal', to: 'restricted', mine: false },
    { table: 'messages', from: 'restricted', to: 'internal', mine: true },
    { table: 'file_uploads', from: 'internal', to: 'restricted', mine: false },
    { table: 'file_uploads', from: 'restricted', to: 'internal', mine: true },
  ])
})
