/** Pins, saved messages, favourites, marking unread, conversations and the files of a room, over HTTP. */
import { beforeAll, describe, expect, it } from 'vitest'
import { testCallers } from '../http/callers.ts'
import { testDatabase } from '../support/index.ts'

const { origin, ask, idOf, named, send } = testCallers(testDatabase())
const owner = () => named('a plain user')
const member = () => named('a foreign session')
const stranger = () => named('viewer')

interface Written {
  readonly id: string
  readonly content: string
}

let room = ''

const json = async (...request: Parameters<typeof send>) => JSON.parse((await send(...request)).text)
const status = async (...request: Parameters<typeof send>) => (await send(...request)).status
const write = async (content: string, replyToId?: string): Promise<string> =>
  (await json(member(), 'POST', `/v1/chat/rooms/${room}/messages`, { content, replyToId })).id
const contents = async (path: string, caller = member()): Promise<string[]> =>
  (await json(caller, 'GET', path)).messages.map(({ content }: Written) => content)
const roomOf = async (caller = member()) => await json(caller, 'GET', `/v1/chat/rooms/${room}`)

beforeAll(async () => {
  for (const name of ['a plain user', 'a foreign session']) {
    await ask(
      `insert into akashi_auth.user_roles (user_id, role_id) select $1, id from akashi_auth.roles where name = 'viewer'`,
      [idOf(name)],
    )
  }
  room = (await json(owner(), 'POST', '/v1/chat/rooms', { name: 'kept', type: 'private' })).id
  const invited = await json(owner(), 'POST', `/v1/chat/rooms/${room}/invitations`, {
    userId: idOf('a foreign session'),
  })
  await send(member(), 'POST', `/v1/chat/invitations/${invited.id}/accept`)
})

describe('pins', () => {
  it('are listed newest first, once each, for members only, and leave the list with a deleted message', async () => {
    const [first, second] = [await write('first'), await write('second')]
    const before = (await roomOf()).lastSequence
    for (const id of [first, second, second]) {
      expect(await status(owner(), 'PUT', `/v1/chat/messages/${id}/pin`)).toBe(204)
    }
    // One event for each change, none for what was so already.
    expect((await roomOf()).lastSequence).toBe(before + 2)
    expect(await contents(`/v1/chat/rooms/${room}/pins`)).toEqual(['second', 'first'])
    expect(await contents(`/v1/chat/rooms/${room}/pins`, stranger())).toEqual([])
    expect(await status(stranger(), 'PUT', `/v1/chat/messages/${first}/pin`)).toBe(404)
    await send(member(), 'DELETE', `/v1/chat/messages/${second}`)
    expect(await contents(`/v1/chat/rooms/${room}/pins`)).toEqual(['first'])
    expect(await status(member(), 'DELETE', `/v1/chat/messages/${first}/pin`)).toBe(204)
    expect(await contents(`/v1/chat/rooms/${room}/pins`)).toEqual([])
    const trail = await ask(
      `select operation, user_id from akashi_audit.audit_logs where table_name = 'pinned_messages' and strpos(record_id, $1) > 0 order by seq`,
      [first],
    )
    expect(trail).toEqual([
      { operation: 'INSERT', user_id: idOf('a plain user') },
      { operation: 'DELETE', user_id: idOf('a foreign session') },
    ])
  })
})

describe('saved messages', () => {
  it('are the caller’s own, page by page', async () => {
    for (const content of ['a', 'b', 'c']) {
      const id = await write(content)
      expect(await status(member(), 'PUT', `/v1/chat/messages/${id}/saved`)).toBe(204)
      expect(await status(stranger(), 'PUT', `/v1/chat/messages/${id}/saved`)).toBe(404)
    }
    const page = await json(member(), 'GET', '/v1/chat/saved?limit=2')
    expect(page.messages.map(({ content }: Written) => content)).toEqual(['c', 'b'])
    expect(await contents(`/v1/chat/saved?limit=2&cursor=${page.next}`)).toEqual(['a'])
    expect(await contents('/v1/chat/saved', owner())).toEqual([])
    await send(member(), 'DELETE', `/v1/chat/messages/${page.messages[0].id}/saved`)
    expect(await contents('/v1/chat/saved')).toEqual(['b', 'a'])
  })

  it('refuse a cursor that was made up', async () => {
    expect(await status(member(), 'GET', '/v1/chat/saved?cursor=bm90aGluZw')).toBe(400)
  })
})

it('a favourite is one person’s, and of their own rooms', async () => {
  expect(await status(member(), 'PUT', `/v1/chat/rooms/${room}/favourite`)).toBe(204)
  expect((await roomOf()).isFavourite).toBe(true)
  expect((await roomOf(owner())).isFavourite).toBe(false)
  expect(await status(stranger(), 'PUT', `/v1/chat/rooms/${room}/favourite`)).toBe(404)
  await send(member(), 'DELETE', `/v1/chat/rooms/${room}/favourite`)
  expect((await roomOf()).isFavourite).toBe(false)
})

it('a room that is marked unread counts again from that message on', async () => {
  const ids = [await write('u1'), await write('u2'), await write('u3')]
  await send(owner(), 'POST', `/v1/chat/messages/${ids[2]}/read`)
  expect((await roomOf(owner())).unread).toBe(0)
  expect(await status(owner(), 'POST', `/v1/chat/messages/${ids[1]}/unread`)).toBe(204)
  expect((await roomOf(owner())).unread).toBe(2)
  expect(await status(stranger(), 'POST', `/v1/chat/messages/${ids[1]}/unread`)).toBe(404)
})

it('a conversation is the same from each of its messages', async () => {
  const root = await write('root')
  const left = await write('left', root)
  await write('aside')
  const right = await write('right', root)
  const leaf = await write('leaf', left)
  for (const id of [root, left, right, leaf]) {
    expect(await contents(`/v1/chat/messages/${id}/thread`)).toEqual(['root', 'left', 'right', 'leaf'])
  }
  expect(await status(stranger(), 'GET', `/v1/chat/messages/${leaf}/thread`)).toBe(404)
})

it('files of a room are those that were sent, newest first, for its members', async () => {
  const upload = async (name: string): Promise<string> => {
    const uploaded = await fetch(`${origin()}/v1/chat/rooms/${room}/files?name=${name}`, {
      method: 'POST',
      headers: { ...member().headers, 'content-type': 'text/plain' },
      body: name,
    })
    return ((await uploaded.json()) as { id: string }).id
  }
  const [one, two] = [await upload('one.txt'), await upload('two.txt')]
  await upload('unsent.txt')
  for (const fileId of [one, two]) {
    await send(member(), 'POST', `/v1/chat/rooms/${room}/messages`, { content: '', fileId })
  }
  // As if they had been scanned.
  await ask(
    `update akashi_chat.file_uploads set upload_status = 'completed', virus_scanned = true where room_id = $1`,
    [room],
  )
  const first = await json(owner(), 'GET', `/v1/chat/rooms/${room}/files?limit=1`)
  expect(first.files).toMatchObject([{ name: 'two.txt', sender: { id: idOf('a foreign session') } }])
  const second = await json(owner(), 'GET', `/v1/chat/rooms/${room}/files?limit=1&cursor=${first.next}`)
  expect(second.files).toMatchObject([{ name: 'one.txt' }])
  const third = await json(owner(), 'GET', `/v1/chat/rooms/${room}/files?limit=1&cursor=${second.next}`)
  expect(third).toEqual({ files: [], next: null })
  expect(await status(stranger(), 'GET', `/v1/chat/rooms/${room}/files`)).toBe(404)
})

it('nothing that was kept is shown once the membership ends', async () => {
  const id = await write('last')
  await send(member(), 'PUT', `/v1/chat/messages/${id}/saved`)
  expect(await contents('/v1/chat/saved')).toContain('last')
  await send(member(), 'POST', `/v1/chat/rooms/${room}/leave`)
  expect(await contents('/v1/chat/saved')).toEqual([])
  expect(await status(member(), 'GET', `/v1/chat/messages/${id}/thread`)).toBe(404)
  expect(await status(member(), 'POST', `/v1/chat/messages/${id}/unread`)).toBe(404)
})
