import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { testDatabase, tester } from '../support/index.ts'
import { makePerson, type Person } from './people.ts'

const database = testDatabase()
const app = database.open('app', { poolSize: 12 })
let aoi: Person
let ken: Person
let mei: Person

interface Room {
  id: string
}
interface Message {
  id: string
  sequence: bigint
  created_at: Date
  content: string
}

beforeAll(async () => {
  aoi = await makePerson(database, app, 'aoi')
  ken = await makePerson(database, app, 'ken')
  mei = await makePerson(database, app, 'mei')
})

async function room(owner: Person, type = 'public', max = 100): Promise<string> {
  const [made] = await owner.ask<Room>('select id from akashi_chat.create_room($1, $2, null, $3)', [
    `room ${randomUUID()}`,
    type,
    max,
  ])
  return made?.id ?? ''
}

async function post(person: Person, where: string, content: string, client: string | null = null) {
  const [message] = await person.ask<Message>(
    'select id, sequence, created_at, content from akashi_chat.post_message($1, $2, client => $3)',
    [where, content, client],
  )
  if (message === undefined) throw new Error('no message')
  return message
}

const join = (person: Person, where: string) => person.ask('select akashi_chat.join_room($1)', [where])

describe('rooms', () => {
  it('are seen by whom they are for', async () => {
    const open = await room(aoi)
    const closed = await room(aoi, 'private')
    const seen = async (person: Person) =>
      (await person.ask<Room>('select id from akashi_chat.rooms where id = any ($1)', [[open, closed]])).map(
        ({ id }) => id,
      )
    expect((await seen(aoi)).sort()).toEqual([open, closed].sort())
    expect(await seen(ken)).toEqual([open])
    await aoi.ask('select akashi_chat.invite($1, $2)', [closed, ken.id])
    expect((await seen(ken)).sort()).toEqual([open, closed].sort())
    expect(await seen(mei)).toEqual([open])
    const nobody = await app.transaction(tester, (session) =>
      session.query('select id from akashi_chat.rooms'),
    )
    expect(nobody.rows).toEqual([])
  })

  it('take no more members than their limit when many come at once', async () => {
    const small = await room(aoi, 'public', 4)
    const people = await Promise.all(
      Array.from({ length: 10 }, (_, at) => makePerson(database, app, `crowd_${at}`)),
    )
    const outcomes = await Promise.allSettled(people.map((person) => join(person, small)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    const [count] = await aoi.ask<{ count: bigint }>(
      'select count(*) from akashi_chat.room_members where room_id = $1 and is_active',
      [small],
    )
    expect(Number(count?.count)).toBe(4)
  })

  it('keep an owner', async () => {
    const own = await room(aoi)
    await join(ken, own)
    await expect(aoi.ask('select akashi_chat.leave_room($1)', [own])).rejects.toThrow(
      'the last owner cannot leave',
    )
    await expect(
      ken.ask(`select akashi_chat.set_member_role($1, $2, 'owner')`, [own, ken.id]),
    ).rejects.toMatchObject({
      code: 'forbidden',
    })
    await aoi.ask(`select akashi_chat.set_member_role($1, $2, 'owner')`, [own, ken.id])
    await aoi.ask('select akashi_chat.leave_room($1)', [own])
    await expect(aoi.ask('select akashi_chat.remove_member($1, $2)', [own, ken.id])).rejects.toMatchObject({
      code: 'forbidden',
    })
  })

  it('are one for each pair, whoever opens it, also at once', async () => {
    const opened = await Promise.all(
      [aoi, ken, aoi, ken].map((person) =>
        person.ask<Room>('select id from akashi_chat.open_direct_room($1)', [
          person === aoi ? ken.id : aoi.id,
        ]),
      ),
    )
    expect(new Set(opened.map(([first]) => first?.id)).size).toBe(1)
    await mei.ask(
      `insert into akashi_chat.user_preferences (user_id, direct_messages) values ($1, 'nobody')`,
      [mei.id],
    )
    const lea = await makePerson(database, app, 'lea')
    await expect(lea.ask('select id from akashi_chat.open_direct_room($1)', [mei.id])).rejects.toMatchObject({
      code: 'not_found',
    })
  })

  it('answer an invitation once', async () => {
    const closed = await room(aoi, 'private')
    await expect(join(ken, closed)).rejects.toMatchObject({ code: 'not_found' })
    const [invitation] = await aoi.ask<Room>('select id from akashi_chat.invite($1, $2)', [closed, ken.id])
    await expect(
      mei.ask('select akashi_chat.answer_invitation($1, true)', [invitation?.id]),
    ).rejects.toMatchObject({
      code: 'not_found',
    })
    await ken.ask('select akashi_chat.answer_invitation($1, true)', [invitation?.id])
    await aoi.ask('select akashi_chat.remove_member($1, $2)', [closed, ken.id])
    await expect(
      ken.ask('select akashi_chat.answer_invitation($1, true)', [invitation?.id]),
    ).rejects.toMatchObject({
      code: 'conflict',
    })
  })
})

describe('messages', () => {
  it('have one order, whoever writes at once', async () => {
    const busy = await room(aoi)
    await join(ken, busy)
    const sent = await Promise.all(
      Array.from({ length: 60 }, (_, at) => post(at % 2 === 0 ? aoi : ken, busy, `message ${at}`)),
    )
    const rows = await aoi.ask<Message>(
      'select id, sequence, created_at, content from akashi_chat.messages where room_id = $1 order by created_at',
      [busy],
    )
    expect(rows).toHaveLength(sent.length)
    const sequences = rows.map(({ sequence }) => Number(sequence))
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b))
    const events = await aoi.ask<{ sequence: bigint }>(
      'select sequence from akashi_chat.room_events where room_id = $1 order by sequence',
      [busy],
    )
    expect(events.map(({ sequence }) => Number(sequence))).toEqual(events.map((_, at) => at + 1))
  })

  it('are found by their id alone, in one partition', async () => {
    const here = await room(aoi)
    const message = await post(aoi, here, 'here')
    const plan = await aoi.ask<Record<string, string>>(
      'explain select * from akashi_chat.messages where id = $1 and created_at = akashi_chat.message_time($1)',
      [message.id],
    )
    const text = plan.map((row) => row['QUERY PLAN']).join('\n')
    expect(text).toContain('Index Scan using')
    expect(text.match(/Index Scan/g)).toHaveLength(1)
    const [found] = await aoi.ask<Message>(
      'select id, content from akashi_chat.messages where id = $1 and created_at = akashi_chat.message_time($1)',
      [message.id],
    )
    expect(found?.content).toBe('here')
  })

  it('are sent once for one client id', async () => {
    const here = await room(aoi)
    const client = randomUUID()
    const sent = await Promise.all([1, 2, 3].map(() => post(aoi, here, 'once', client)))
    expect(new Set(sent.map(({ id }) => id)).size).toBe(1)
  })

  it('have 1 to 4,000 characters, counted as characters', async () => {
    const here = await room(aoi)
    await expect(post(aoi, here, '')).rejects.toMatchObject({ code: 'invalid_input' })
    await post(aoi, here, `${'証'.repeat(3999)}😀`)
    await expect(post(aoi, here, `${'証'.repeat(4000)}😀`)).rejects.toMatchObject({ code: 'invalid_input' })
  })

  it('are read and written by members only, and not by those who left', async () => {
    const closed = await room(aoi, 'private')
    const message = await post(aoi, closed, 'between us')
    const read = (person: Person) =>
      person.ask('select id from akashi_chat.messages where room_id = $1', [closed])
    expect(await read(ken)).toEqual([])
    for (const statement of [
      'select akashi_chat.edit_message($1, $$mine$$)',
      'select akashi_chat.delete_message($1)',
      'select akashi_chat.add_reaction($1, $$x$$)',
      'select akashi_chat.mark_read($1)',
    ]) {
      await expect(ken.ask(statement, [message.id]), statement).rejects.toMatchObject({ code: 'not_found' })
    }
    await expect(post(ken, closed, 'let me in')).rejects.toMatchObject({ code: 'not_found' })
    const [invitation] = await aoi.ask<Room>('select id from akashi_chat.invite($1, $2)', [closed, ken.id])
    await ken.ask('select akashi_chat.answer_invitation($1, true)', [invitation?.id])
    expect(await read(ken)).toHaveLength(1)
    await ken.ask('select akashi_chat.leave_room($1)', [closed])
    expect(await read(ken)).toEqual([])
  })

  it('cannot be written around the functions', async () => {
    const here = await room(aoi)
    for (const statement of [
      `insert into akashi_chat.messages (id, room_id, sequence, content, created_at) values (gen_random_uuid(), '${here}', 1, 'x', now())`,
      `update akashi_chat.messages set content = 'x'`,
      'delete from akashi_chat.messages',
      `update akashi_chat.room_members set role = 'owner'`,
      `select akashi_chat.finish_upload(gen_random_uuid(), '{}')`,
      `select akashi_chat.append_event('${here}', 'room_changed', null, null)`,
    ]) {
      await expect(aoi.ask(statement), statement).rejects.toMatchObject({ code: 'forbidden' })
    }
  })

  it('show what was edited and hide what was deleted', async () => {
    const here = await room(aoi)
    await join(ken, here)
    const message = await post(aoi, here, 'frist')
    await expect(
      ken.ask('select akashi_chat.edit_message($1, $2)', [message.id, 'mine']),
    ).rejects.toMatchObject({
      code: 'forbidden',
    })
    await aoi.ask('select akashi_chat.edit_message($1, $2)', [message.id, 'first'])
    const edits = await ken.ask(
      'select previous_content from akashi_chat.message_edits where message_id = $1',
      [message.id],
    )
    expect(edits).toEqual([{ previous_content: 'frist' }])
    await ken.ask('select akashi_chat.add_reaction($1, $2)', [message.id, '👍'])
    await ken.ask('select akashi_chat.add_reaction($1, $2)', [message.id, '👍'])
    expect(
      await aoi.ask('select emoji from akashi_chat.message_reactions where message_id = $1', [message.id]),
    ).toHaveLength(1)
    await aoi.ask('select akashi_chat.delete_message($1)', [message.id])
    const [deleted] = await ken.ask<Message & { is_deleted: boolean }>(
      'select content, is_deleted from akashi_chat.messages where id = $1',
      [message.id],
    )
    expect(deleted).toMatchObject({ content: '', is_deleted: true })
    expect(
      await ken.ask('select previous_content from akashi_chat.message_edits where message_id = $1', [
        message.id,
      ]),
    ).toEqual([])
    const kinds = await aoi.ask<{ event_type: string }>(
      'select event_type from akashi_chat.room_events where message_id = $1 order by sequence',
      [message.id],
    )
    expect(kinds.map(({ event_type }) => event_type)).toEqual([
      'message_created',
      'message_edited',
      'reaction_added',
      'message_deleted',
    ])
  })

  it('tell those who were mentioned or replied to, and nobody else', async () => {
    const here = await room(aoi)
    await join(ken, here)
    await join(mei, here)
    const message = await post(ken, here, 'a question')
    await aoi.ask('select akashi_chat.post_message($1, $2, reply_to => $3, mentions => $4)', [
      here,
      '@mei an answer',
      message.id,
      [mei.id, randomUUID()],
    ])
    const told = (person: Person) =>
      person.ask('select notification_type from akashi_chat.notifications where room_id = $1', [here])
    expect(await told(ken)).toEqual([{ notification_type: 'reply' }])
    expect(await told(mei)).toEqual([{ notification_type: 'mention' }])
    expect(await told(aoi)).toEqual([])
  })

  it('are in the trail without their words', async () => {
    const here = await room(aoi)
    const message = await post(aoi, here, 'a secret word')
    const rows = await database.asSuperuser(
      async (session) =>
        (
          await session.query<{ new_values: { content: string } }>(
            `select new_values from akashi_audit.audit_logs where table_name = 'messages' and new_values ->> 'id' = $1`,
            [message.id],
          )
        ).rows,
    )
    expect(rows).toHaveLength(1)
    expect(JSON.stringify(rows)).not.toContain('a secret word')
  })

  it('go with the person who wrote them', async () => {
    const here = await room(aoi)
    const leaver = await makePerson(database, app, 'leaver')
    await join(leaver, here)
    const message = await post(leaver, here, 'my own words')
    await database
      .open('worker')
      .transaction(tester, (session) => session.query('select akashi_chat.erase_person($1)', [leaver.id]))
    const [row] = await aoi.ask(
      'select content, user_id, is_deleted from akashi_chat.messages where id = $1',
      [message.id],
    )
    expect(row).toEqual({ content: '', user_id: null, is_deleted: true })
  })
})
