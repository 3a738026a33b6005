/** Who may come back, what a member is told, and what a legal hold keeps: tried over a socket. */
import { beforeAll, describe, expect, it } from 'vitest'
import { type Caller, testCallers } from '../http/callers.ts'
import { testDatabase } from '../support/index.ts'

const { ask, again, idOf, send } = testCallers(testDatabase())
const REASON = 'a complaint about this room'
let owner: Caller
let guest: Caller

beforeAll(async () => {
  owner = await again('sys_auditor')
  guest = await again('viewer')
  // The auditor's role does not write rooms.
  await ask(
    `insert into akashi_auth.user_roles (user_id, role_id) select $1, id from akashi_auth.roles where name = 'viewer'`,
    [idOf('sys_auditor')],
  )
})

const post = async (caller: Caller, path: string, body: object = {}) => {
  const { status, text } = await send(caller, 'POST', `/v1/chat${path}`, body)
  return { status, body: text === '' ? null : JSON.parse(text) }
}
const invite = async (room: string): Promise<string> =>
  (await post(owner, `/rooms/${room}/invitations`, { userId: idOf('viewer') })).body.id
const newRoom = async (type: 'public' | 'private'): Promise<string> =>
  (await post(owner, '/rooms', { name: 'membership', type })).body.id
const change = (room: string, body: object) => send(owner, 'PATCH', `/v1/chat/rooms/${room}`, body)

describe('whoever was removed', () => {
  it('does not join a public room again before they are invited', async () => {
    const room = await newRoom('public')
    expect((await post(guest, `/rooms/${room}/join`)).status).toBe(204)
    await send(owner, 'DELETE', `/v1/chat/rooms/${room}/members/${idOf('viewer')}`)
    expect((await post(guest, `/rooms/${room}/join`)).status).toBe(403)
    expect((await post(guest, `/invitations/${await invite(room)}/accept`)).status).toBe(200)
  })

  it('does not come back by an invitation from before', async () => {
    const room = await newRoom('public')
    const before = await invite(room)
    await post(guest, `/rooms/${room}/join`)
    await send(owner, 'DELETE', `/v1/chat/rooms/${room}/members/${idOf('viewer')}`)
    expect((await change(room, { type: 'private' })).status).toBe(200)
    expect((await post(guest, `/invitations/${before}/accept`)).status).toBe(409)
    const page = await send(guest, 'GET', `/v1/chat/rooms/${room}/messages`)
    expect(JSON.parse(page.text)).toMatchObject({ messages: [] })
  })
})

describe('a room', () => {
  it('that turns private ends the invitations that its members made', async () => {
    const room = await newRoom('public')
    await post(guest, `/rooms/${room}/join`)
    const third = idOf('sys_admin')
    const { id } = (await post(guest, `/rooms/${room}/invitations`, { userId: third })).body
    await change(room, { type: 'private' })
    expect(await ask('select status from akashi_chat.room_invitations where id = $1', [id])).toEqual([
      { status: 'revoked' },
    ])
  })

  it('that is private does not become public', async () => {
    const room = await newRoom('private')
    expect((await change(room, { type: 'public' })).status).toBe(409)
  })

  it('is managed by whoever administers all rooms, who does not read it', async () => {
    const room = await newRoom('private')
    const administrator = await again('sys_admin')
    const mine = `/v1/chat/rooms/${room}`
    expect((await send(administrator, 'PATCH', mine, { name: 'renamed' })).status).toBe(200)
    await post(owner, `/rooms/${room}/messages`, { content: 'between us' })
    const page = await send(administrator, 'GET', `${mine}/messages`)
    expect(JSON.parse(page.text)).toMatchObject({ messages: [] })
    expect((await send(administrator, 'POST', `${mine}/messages`, { content: 'x' })).status).toBe(404)
    expect((await send(administrator, 'POST', `${mine}/files?name=a`, { a: 1 })).status).toBe(403)
    const member = `${mine}/members/${idOf('sys_auditor')}`
    expect((await send(administrator, 'PATCH', member, { role: 'admin' })).status).toBe(409)
  })
})

it('tells an invited person once, however often they are invited', async () => {
  const room = await newRoom('public')
  for (let times = 0; times < 8; times += 1) await invite(room)
  const [told] = await ask<{ count: number }>(
    `select count(*)::integer as count from akashi_chat.notifications where room_id = $1 and notification_type = 'invitation'`,
    [room],
  )
  expect(told?.count).toBe(1)
  // Declining does not make room for more.
  const answers: number[] = []
  for (let times = 0; times < 6; times += 1) {
    const invited = await post(owner, `/rooms/${room}/invitations`, { userId: idOf('viewer') })
    answers.push(invited.status)
    if (invited.status === 201) await post(guest, `/invitations/${invited.body.id}/decline`)
  }
  expect(answers).toContain(429)
})

describe('a deleted message', () => {
  it('takes its earlier texts along; a review with a reason shows them', async () => {
    const room = await newRoom('public')
    await post(guest, `/rooms/${room}/join`)
    const { id } = (await post(owner, `/rooms/${room}/messages`, { content: 'the secret' })).body
    await send(owner, 'PATCH', `/v1/chat/messages/${id}`, { content: 'never mind' })
    const edits = () => send(guest, 'GET', `/v1/chat/messages/${id}/edits`)
    expect((await edits()).text).toContain('the secret')
    await send(owner, 'DELETE', `/v1/chat/messages/${id}`)
    expect((await edits()).text).not.toContain('the secret')
    const reviewer = await again('security_admin')
    for (const reason of [undefined, null, '', '     ', '\u00a0'.repeat(20), '-----------', 'no'])
      expect((await post(reviewer, `/messages/${id}/review`, { reason })).status, `${reason}`).toBe(400)
    expect((await post(guest, `/messages/${id}/review`, { reason: REASON })).status).toBe(403)
    const texts = await post(reviewer, `/messages/${id}/review`, { reason: REASON })
    expect(texts.body.texts.map((each: { previousContent: string }) => each.previousContent)).toEqual([
      'the secret',
      'never mind',
    ])
    const read = await ask<{ reason: string }>(
      `select detail ->> 'reason' as reason from akashi_audit.audit_logs
       where event_type = 'data_access' and resource = 'akashi_chat.messages' and user_id = $1`,
      [idOf('security_admin')],
    )
    expect(read).toEqual([{ reason: REASON }])
  })

  it('is kept while its table or its author is under legal hold', async () => {
    const room = await newRoom('public')
    const { id } = (await post(owner, `/rooms/${room}/messages`, { content: 'evidence' })).body
    await send(owner, 'DELETE', `/v1/chat/messages/${id}`)
    const table = 'akashi_chat.messages'
    const administrator = await again('sys_admin')
    const hold = (held: boolean, reason?: string) =>
      send(administrator, 'PUT', `/v1/archive/holds/${table}`, { held, reason })
    expect((await hold(true, ' ')).status).toBe(400)
    expect((await hold(true, 'a court asked for it')).status).toBe(200)
    await ask(`alter table ${table} disable trigger all`)
    await ask(`update ${table} set updated_at = now() - interval '400 days' where id = $1`, [id])
    await ask(`alter table ${table} enable trigger all`)
    const left = async () => {
      await ask('select akashi_chat.purge_expired()')
      return (await ask(`select from ${table} where id = $1`, [id])).length
    }
    expect(await left()).toBe(1)
    expect((await hold(false)).status).toBe(400)
    expect((await hold(false, 'the case is closed')).status).toBe(200)
    const holdAuthor = (reason: string | null) =>
      ask('update akashi_auth.users set legal_hold = $2 where id = $1', [idOf('sys_auditor'), reason])
    await holdAuthor('case 7')
    expect(await left()).toBe(1)
    await holdAuthor(null)
    expect(await left()).toBe(0)
  })
})
