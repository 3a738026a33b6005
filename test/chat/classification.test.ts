import { beforeAll, describe, expect, it } from 'vitest'
import { testDatabase } from '../support/index.ts'
import { makePerson, type Person } from './people.ts'

const database = testDatabase()
const app = database.open('app')
let owner: Person
let member: Person
let stranger: Person
let room: string

async function one<R>(person: Person, text: string, values: readonly unknown[]): Promise<R> {
  const [row] = await person.ask<R>(text, values)
  if (row === undefined) throw new Error('no row')
  return row
}

async function post(person: Person): Promise<string> {
  return (
    await one<{ id: string }>(person, 'select id from akashi_chat.post_message($1, $2)', [room, 'hello'])
  ).id
}

/** A file of the member's, shown by a message unless it is their own still. */
async function upload(shown: boolean): Promise<string> {
  const { id } = await one<{ id: string }>(
    member,
    "select id from akashi_chat.begin_upload($1, 'a.txt', 3, 'text/plain')",
    [room],
  )
  if (shown) {
    const message = await post(member)
    await database.asSuperuser((session) =>
      session.query(
        `update akashi_chat.file_uploads set upload_status = 'completed', virus_scanned = true, message_id = $2 where id = $1`,
        [id, message],
      ),
    )
  }
  return id
}

const level = async (table: string, id: string) =>
  await database.asSuperuser(
    async (session) =>
      (
        await session.query(
          `select security_classification as level from akashi_chat.${table} where id = $1`,
          [id],
        )
      ).rows[0]?.['level'],
  )

beforeAll(async () => {
  owner = await makePerson(database, app, 'aoi')
  member = await makePerson(database, app, 'ken')
  stranger = await makePerson(database, app, 'mei')
  room = (await one<{ id: string }>(owner, "select id from akashi_chat.create_room('classified')", [])).id
  await member.ask('select akashi_chat.join_room($1)', [room])
})

describe('the classification of a room and its compliance tags', () => {
  const change = (person: Person, changes: object) =>
    person.ask('select akashi_chat.update_room($1, $2)', [room, JSON.stringify(changes)])

  it('are set by an owner or admin, with the change in the trail', async () => {
    await change(owner, { security_classification: 'confidential', compliance_tags: { pci: true } })
    expect(await level('rooms', room)).toBe('confidential')
    expect(
      await database.asSuperuser(
        async (session) =>
          (
            await session.query(
              `select user_id, old_values ->> 'security_classification' as old, new_values -> 'compliance_tags' as tags
               from akashi_audit.audit_logs where table_name = 'rooms' and record_id = $1 and operation = 'UPDATE'`,
              [room],
            )
          ).rows,
      ),
    ).toEqual([{ user_id: owner.id, old: 'internal', tags: { pci: true } }])
    await change(owner, { description: 'kept' })
    expect(await level('rooms', room)).toBe('confidential')
  })

  it('are not set by others, nor to what is none', async () => {
    await expect(change(member, { security_classification: 'public' })).rejects.toMatchObject({
      code: 'forbidden',
    })
    await expect(change(stranger, { compliance_tags: {} })).rejects.toMatchObject({ code: 'forbidden' })
    await expect(change(owner, { security_classification: 'secret' })).rejects.toMatchObject({
      code: 'invalid_input',
    })
    await expect(change(owner, { compliance_tags: [] })).rejects.toMatchObject({ code: 'invalid_input' })
    expect(await level('rooms', room)).toBe('confidential')
  })
})

describe.each([
  ['messages', 'classify_message', () => post(member)],
  ['file_uploads', 'classify_file', () => upload(true)],
] as const)('the classification of %s', (table, setter, make) => {
  const set = (person: Person, id: string, to: string | null) =>
    person.ask(`select akashi_chat.${setter}($1, $2)`, [id, to])

  it('is raised by the author, and lowered by an owner or admin only', async () => {
    const id = await make()
    await set(member, id, 'restricted')
    expect(await level(table, id)).toBe('restricted')
    await expect(set(member, id, 'internal')).rejects.toMatchObject({ code: 'forbidden' })
    expect(await level(table, id)).toBe('restricted')
    await set(owner, id, 'public')
    expect(await level(table, id)).toBe('public')
  })

  it('is nothing that a stranger can change or find', async () => {
    const id = await make()
    const before = await level(table, id)
    await expect(set(stranger, id, 'restricted')).rejects.toMatchObject({ code: 'not_found' })
    expect(await level(table, id)).toBe(before)
  })

  it.each(['secret', '', null])('is not %s', async (wrong) => {
    await expect(set(owner, await make(), wrong)).rejects.toMatchObject({ code: 'invalid_input' })
  })
})

it('another member classifies nothing of somebody else', async () => {
  await expect(
    member.ask("select akashi_chat.classify_message($1, 'restricted')", [await post(owner)]),
  ).rejects.toMatchObject({ code: 'forbidden' })
})

it('a file that no message shows is its uploader’s alone', async () => {
  const id = await upload(false)
  await expect(owner.ask("select akashi_chat.classify_file($1, 'restricted')", [id])).rejects.toMatchObject({
    code: 'not_found',
  })
  await member.ask("select akashi_chat.classify_file($1, 'confidential')", [id])
  expect(await level('file_uploads', id)).toBe('confidential')
})
