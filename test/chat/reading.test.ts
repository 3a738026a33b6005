import { randomUUID } from 'node:crypto'
import { type HistoryPage, type Message, operations } from '@akashi/contract'
import { beforeAll, describe, expect, it } from 'vitest'
import * as chat from '../../src/chat/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { makePerson, type Person } from './people.ts'

const database = testDatabase()
const app = database.open('app')
let aoi: Person
let ken: Person

beforeAll(async () => {
  aoi = await makePerson(database, app, 'aoi')
  ken = await makePerson(database, app, 'ken')
})

const contents = (history: HistoryPage) => history.messages.map(({ content }) => content)

describe('a room', () => {
  it('is listed with its newest message, what is unread, and who is in it', async () => {
    const room = await chat.createRoom(app, aoi.actor, { name: '開発', description: 'all about it' })
    expect(operations['GET /v1/chat/rooms/{roomId}'].response.parse(room)).toEqual(room)
    expect(room).toMatchObject({ role: 'owner', memberCount: 1, unread: 0, lastMessage: null, peer: null })
    await chat.joinRoom(app, ken.actor, room.id)
    await chat.postMessage(app, aoi.actor, room.id, { content: 'first' })
    const last = await chat.postMessage(app, aoi.actor, room.id, {
      content: '@ken second',
      mentions: [ken.id],
    })
    const [listed] = await chat.listRooms(app, ken.actor)
    expect(operations['GET /v1/chat/rooms/{roomId}'].response.parse(listed)).toEqual(listed)
    expect(listed).toMatchObject({
      id: room.id,
      role: 'member',
      unread: 2,
      unreadMentions: 1,
      memberCount: 2,
    })
    expect(listed?.lastMessage).toMatchObject({ content: '@ken second', author: { username: 'aoi' } })
    await chat.markRead(app, ken.actor, last.id)
    expect(await chat.readRoom(app, ken.actor, room.id)).toMatchObject({
      unread: 0,
      unreadMentions: 0,
      readTo: last.createdAt,
    })
    expect(
      (await chat.listMembers(app, ken.actor, room.id)).map(({ user, role }) => [user.username, role]),
    ).toEqual([
      ['aoi', 'owner'],
      ['ken', 'member'],
    ])
  })

  it('of two names the other person', async () => {
    const room = await chat.openDirectRoom(app, aoi.actor, ken.id)
    expect(room).toMatchObject({ type: 'direct', peer: { username: 'ken' } })
    expect(await chat.readRoom(app, ken.actor, room.id)).toMatchObject({
      peer: { username: 'aoi' },
      notificationLevel: 'all',
    })
  })

  it('is found in the directory a page at a time', async () => {
    const word = randomUUID()
    for (const name of ['a', 'b', 'c']) await chat.createRoom(app, aoi.actor, { name: `${word} ${name}` })
    await chat.createRoom(app, aoi.actor, { name: `${word} d`, type: 'private' })
    const first = await chat.publicRooms(app, ken.actor, { matching: word, limit: 2 })
    expect(first.rooms.map(({ name, isMember }) => [name, isMember])).toEqual([
      [`${word} a`, false],
      [`${word} b`, false],
    ])
    const second = await chat.publicRooms(app, ken.actor, {
      matching: word,
      limit: 2,
      ...(first.next && { cursor: first.next }),
    })
    expect(second.rooms.map(({ name }) => name)).toEqual([`${word} c`])
    expect(second.next).toBeNull()
  })

  it('changes by whom may change it', async () => {
    const room = await chat.createRoom(app, aoi.actor, { name: 'old name' })
    await chat.joinRoom(app, ken.actor, room.id)
    await expect(chat.updateRoom(app, ken.actor, room.id, { name: 'mine' })).rejects.toMatchObject({
      code: 'forbidden',
    })
    const changed = await chat.updateRoom(app, aoi.actor, room.id, {
      name: 'new name',
      description: 'x',
      isActive: false,
    })
    expect(changed).toMatchObject({ name: 'new name', description: 'x', isActive: false })
    await expect(chat.postMessage(app, aoi.actor, room.id, { content: 'late' })).rejects.toMatchObject({
      code: 'conflict',
    })
    await chat.deleteRoom(app, aoi.actor, room.id)
    await expect(chat.readRoom(app, aoi.actor, room.id)).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('history', () => {
  it('is paged in both directions and around a message', async () => {
    const room = await chat.createRoom(app, aoi.actor, { name: 'long' })
    const sent: Message[] = []
    for (let at = 0; at < 10; at += 1) {
      sent.push(await chat.postMessage(app, aoi.actor, room.id, { content: `${at}` }))
    }
    const newest = await chat.readHistory(app, aoi.actor, room.id, { limit: 4 })
    expect(contents(newest)).toEqual(['6', '7', '8', '9'])
    expect(newest).toMatchObject({ hasOlder: true, hasNewer: false })
    const older = await chat.readHistory(app, aoi.actor, room.id, {
      limit: 6,
      before: newest.messages[0]?.id ?? '',
    })
    expect(contents(older)).toEqual(['0', '1', '2', '3', '4', '5'])
    expect(older).toMatchObject({ hasOlder: false, hasNewer: true })
    const newer = await chat.readHistory(app, aoi.actor, room.id, { limit: 3, after: sent[5]?.id ?? '' })
    expect(contents(newer)).toEqual(['6', '7', '8'])
    expect(newer.hasNewer).toBe(true)
    const around = await chat.readHistory(app, aoi.actor, room.id, { limit: 4, around: sent[5]?.id ?? '' })
    expect(contents(around)).toEqual(['4', '5', '6', '7'])
    expect(around).toMatchObject({ hasOlder: true, hasNewer: true })
    expect(contents(await chat.readHistory(app, ken.actor, room.id))).toEqual([])
  })

  it('shows quotes, reactions and edits', async () => {
    const room = await chat.createRoom(app, aoi.actor, { name: 'talk' })
    await chat.joinRoom(app, ken.actor, room.id)
    const question = await chat.postMessage(app, aoi.actor, room.id, { content: 'what time?' })
    const answer = await chat.postMessage(app, ken.actor, room.id, {
      content: '15:00',
      replyToId: question.id,
    })
    await chat.setReaction(app, aoi.actor, answer.id, '👍', true)
    await chat.setReaction(app, ken.actor, answer.id, '👍', true)
    await chat.setReaction(app, ken.actor, answer.id, '🎉', true)
    await chat.setReaction(app, ken.actor, answer.id, '🎉', false)
    await chat.editMessage(app, ken.actor, answer.id, { content: '15:30' })
    const message = await chat.readMessage(app, aoi.actor, answer.id)
    expect(operations['GET /v1/chat/messages/{messageId}'].response.parse(message)).toEqual(message)
    expect(message).toMatchObject({
      content: '15:30',
      isEdited: true,
      author: { username: 'ken' },
      replyTo: { id: question.id, content: 'what time?', author: { username: 'aoi' } },
      reactions: [{ emoji: '👍', userIds: [aoi.id, ken.id] }],
    })
    expect((await chat.listEdits(app, aoi.actor, answer.id)).map((edit) => edit.previousContent)).toEqual([
      '15:00',
    ])
  })

  it('is caught up with from a sequence number, and says when it cannot be', async () => {
    const room = await chat.createRoom(app, aoi.actor, { name: 'events' })
    const first = await chat.postMessage(app, aoi.actor, room.id, { content: 'one' })
    const second = await chat.postMessage(app, aoi.actor, room.id, { content: 'two' })
    await chat.deleteMessage(app, aoi.actor, second.id)
    const missed = await chat.eventsAfter(app, aoi.actor, room.id, first.sequence)
    expect(missed).toMatchObject({ gap: false, lastSequence: 4 })
    expect(missed.events.map(({ sequence, type }) => [sequence, type])).toEqual([
      [3, 'message_created'],
      [4, 'message_deleted'],
    ])
    expect(operations['GET /v1/chat/rooms/{roomId}/events'].response.parse(missed)).toEqual(missed)
    await database.asSuperuser((session) =>
      session.query('delete from akashi_chat.room_events where room_id = $1', [room.id]),
    )
    expect(await chat.eventsAfter(app, aoi.actor, room.id, 2)).toEqual({
      events: [],
      lastSequence: 4,
      gap: true,
    })
    expect(await chat.eventsAfter(app, ken.actor, room.id, 2)).toEqual({
      events: [],
      lastSequence: 0,
      gap: false,
    })
  })
})

describe('people', () => {
  it('are found by their names', async () => {
    expect(
      (await chat.findPeople(app, aoi.actor, { matching: 'KE' })).map(({ username }) => username),
    ).toEqual(['ken'])
    expect(await chat.findPeople(app, tester, { matching: 'ken' })).toEqual([])
    // Full-width, as an input method writes it.
    expect(
      (await chat.findPeople(app, aoi.actor, { matching: 'ＫＥＮ' })).map(({ username }) => username),
    ).toEqual(['ken'])
  })

  it('keep their preferences', async () => {
    expect(await chat.setPreferences(app, aoi.actor)).toMatchObject({ locale: null, theme: 'auto' })
    expect(await chat.setPreferences(app, aoi.actor, { locale: 'en', showPresence: false })).toMatchObject({
      locale: 'en',
      showPresence: false,
      directMessages: 'everyone',
    })
    expect(await chat.setPreferences(app, aoi.actor, {})).toMatchObject({ locale: 'en' })
  })

  it('are told of invitations and mentions, and read them', async () => {
    const room = await chat.createRoom(app, aoi.actor, { name: 'secret', type: 'private' })
    await chat.invite(app, aoi.actor, room.id, ken.id)
    const [invitation] = await chat.myInvitations(app, ken.actor)
    const list = { invitations: [invitation] }
    expect(operations['GET /v1/chat/invitations'].response.parse(list)).toEqual(list)
    expect(invitation).toMatchObject({ room: { name: 'secret' }, invitedBy: { username: 'aoi' } })
    expect(await chat.roomInvitations(app, aoi.actor, room.id)).toHaveLength(1)
    await chat.answerInvitation(app, ken.actor, invitation?.id ?? '', true)
    await chat.postMessage(app, aoi.actor, room.id, { content: 'hello @ken', mentions: [ken.id] })
    const page = await chat.listNotifications(app, ken.actor, { limit: 1 })
    expect(page.notifications[0]).toMatchObject({
      type: 'mention',
      preview: 'hello @ken',
      actor: { username: 'aoi' },
    })
    const rest = await chat.listNotifications(app, ken.actor, { before: page.next ?? '' })
    expect(rest.notifications[0]).toMatchObject({ type: 'invitation', room: { name: 'secret' } })
    // It was answered, so that nothing is left to be told.
    expect(rest.notifications[0]?.readAt).not.toBeNull()
    expect(await chat.readNotifications(app, ken.actor)).toBe(page.unread)
    expect((await chat.listNotifications(app, ken.actor)).unread).toBe(0)
  })
})

describe('a group', () => {
  const group = async (name: string) => {
    const people = await Promise.all(
      ['one', 'two', 'three', 'four'].map((each) => makePerson(database, app, `${name}-${each}`)),
    )
    const [one, two, three, four] = people as [Person, Person, Person, Person]
    return { one, two, three, four, room: await chat.openGroup(app, one.actor, [two.id, three.id]) }
  }

  it('is the same for the same people, whoever opens it, also at once', async () => {
    const { one, two, three, room } = await group('same')
    expect(room).toMatchObject({ type: 'group', memberCount: 3, role: 'member', peer: null })
    expect(room.notificationLevel).toBe('all')
    expect(room.peers.map(({ id }) => id).sort()).toEqual([two.id, three.id].sort())
    const again = await Promise.all([
      chat.openGroup(app, two.actor, [three.id, one.id]),
      chat.openGroup(app, three.actor, [one.id, two.id, three.id, one.id]),
    ])
    expect(again.map(({ id }) => id)).toEqual([room.id, room.id])
    expect((await chat.listRooms(app, three.actor)).map(({ id }) => id)).toEqual([room.id])
  })

  it('is opened by several people at once only once', async () => {
    const people = await Promise.all(
      ['p', 'q', 'r'].map((each) => makePerson(database, app, `at-once-${each}`)),
    )
    const ids = people.map(({ id }) => id)
    const rooms = await Promise.all(people.map(({ actor }) => chat.openGroup(app, actor, ids)))
    expect(new Set(rooms.map(({ id }) => id)).size).toBe(1)
  })

  it('keeps its people: nobody joins, leaves, is invited, removed or renames it', async () => {
    const { one, two, four, room } = await group('fixed')
    await expect(chat.joinRoom(app, four.actor, room.id)).rejects.toMatchObject({ code: 'not_found' })
    for (const change of [
      () => chat.leaveRoom(app, two.actor, room.id),
      () => chat.invite(app, one.actor, room.id, four.id),
      () => chat.removeMember(app, one.actor, room.id, two.id),
      () => chat.updateRoom(app, one.actor, room.id, { name: 'mine' }),
      () => chat.deleteRoom(app, one.actor, room.id),
    ]) {
      await expect(change()).rejects.toMatchObject({ code: expect.stringMatching(/conflict|forbidden/) })
    }
    expect(await chat.readRoom(app, one.actor, room.id)).toMatchObject({ memberCount: 3, name: 'group' })
  })

  it('with one person more begins empty, and shows the first to nobody else', async () => {
    const { one, two, three, four, room } = await group('more')
    await chat.postMessage(app, one.actor, room.id, { content: 'only us' })
    const larger = await chat.openGroup(app, one.actor, [two.id, three.id, four.id])
    expect(larger.id).not.toBe(room.id)
    expect(larger.lastMessage).toBeNull()
    await expect(chat.readRoom(app, four.actor, room.id)).rejects.toMatchObject({ code: 'not_found' })
    expect(await chat.readRoom(app, two.actor, room.id)).toMatchObject({ unread: 1 })
  })

  it('has three to eight people who accept messages', async () => {
    const { one, two, three, four } = await group('limits')
    const open = (...ids: string[]) => chat.openGroup(app, one.actor, ids)
    await expect(open(two.id)).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(open(two.id, one.id, two.id)).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(open(...Array.from({ length: 8 }, () => randomUUID()))).rejects.toMatchObject({
      code: 'invalid_input',
    })
    await expect(open(two.id, randomUUID())).rejects.toMatchObject({ code: 'not_found' })
    await chat.setPreferences(app, four.actor, { directMessages: 'nobody' })
    await expect(open(two.id, four.id)).rejects.toMatchObject({ code: 'not_found' })
    // Whom somebody accepts is between the two of them.
    expect((await chat.openGroup(app, four.actor, [two.id, three.id])).memberCount).toBe(3)
  })
})
