import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import { type Actor, type DatabaseRole, person, type Session } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { makePerson } from './people.ts'

/**
 * What each caller gets of each table of the chat when they really try. Two private rooms: the callers' and one of
 * somebody else; every table has a row of the first for each of its people, and one of the second. The first six act
 * through the application's role; the last three are logins.
 */
const callers = [
  'owner',
  'admin',
  'member',
  'removed',
  'stranger',
  'anonymous',
  'worker',
  'reader',
  'security_admin',
] as const
type Caller = (typeof callers)[number]

/** no: refused; none: no row; own: what is about the caller; room: what is in their room; all: both rooms. */
type Seen = 'no' | 'none' | 'own' | 'room' | 'all' | 'some'
type Select = Readonly<Record<Caller, Seen>>

interface Row {
  readonly select: Select
  /** Who reaches a row with it; everybody else is refused, or reaches none. */
  readonly insert?: readonly Caller[]
  readonly update?: readonly Caller[]
  readonly delete?: readonly Caller[]
}

const people = ['owner', 'admin', 'member', 'removed', 'stranger'] as const
const logins = (worker: Seen, securityAdmin: Seen) =>
  ({ worker, reader: 'no', security_admin: securityAdmin }) as const
const members = {
  owner: 'room',
  admin: 'room',
  member: 'room',
  removed: 'none',
  stranger: 'none',
  anonymous: 'none',
} as const
const own = {
  owner: 'own',
  admin: 'own',
  member: 'own',
  removed: 'own',
  stranger: 'none',
  anonymous: 'none',
} as const

const matrix: Readonly<Record<string, Row>> = {
  // Shown wherever a person is.
  avatars: {
    select: {
      owner: 'all',
      admin: 'all',
      member: 'all',
      removed: 'all',
      stranger: 'all',
      anonymous: 'none',
      ...logins('no', 'no'),
    },
  },
  favourite_rooms: { select: { ...own, ...logins('no', 'no') } },
  file_uploads: { select: { ...members, removed: 'own', ...logins('all', 'all') } },
  message_edits: { select: { ...members, ...logins('no', 'no') } },
  message_reactions: { select: { ...members, ...logins('no', 'no') } },
  messages: { select: { ...members, ...logins('no', 'no') } },
  notifications: {
    select: { ...own, ...logins('all', 'no') },
    update: ['owner', 'admin', 'member', 'removed', 'worker'],
  },
  pinned_messages: { select: { ...members, ...logins('no', 'no') } },
  read_positions: { select: { ...own, ...logins('no', 'no') } },
  room_events: { select: { ...members, ...logins('all', 'no') } },
  // Who was invited sees that; what others were sent, those who may invite.
  room_invitations: {
    select: { ...members, member: 'own', removed: 'own', ...logins('no', 'all') },
  },
  // The caller's own copies only.
  room_keys: { select: { ...own, removed: 'none', ...logins('no', 'no') } },
  room_members: { select: { ...members, removed: 'own', ...logins('all', 'all') } },
  room_sequences: { select: { ...members, ...logins('all', 'no') } },
  rooms: { select: { ...members, ...logins('all', 'all') } },
  // What was saved is shown only while its reader is a member.
  saved_messages: { select: { ...own, removed: 'none', ...logins('no', 'no') } },
  user_preferences: {
    select: { ...own, ...logins('no', 'no') },
    insert: ['stranger'],
    update: ['owner', 'admin', 'member', 'removed'],
  },
}

interface Commands {
  /** $1 is the room, $2 the person that the row is about. */
  readonly insert: string
  readonly update: string
  /** Columns that say which room a row is of and whom it is about. */
  readonly room: string
  readonly about: string
}

const commands: Readonly<Record<string, Commands>> = {
  avatars: {
    room: 'null::uuid',
    about: 'user_id',
    insert: `insert into akashi_chat.avatars (user_id, content) select $2::uuid, '\\x00'::bytea where $1::uuid is not null`,
    update: 'update akashi_chat.avatars set created_at = now()',
  },
  file_uploads: {
    room: 'room_id',
    about: 'user_id',
    insert: `insert into akashi_chat.file_uploads (user_id, room_id, message_id, original_name, file_name, file_size, mime_type, file_path,
        upload_status, virus_scanned) values ($2, $1, gen_random_uuid(), 'a', 'a', 1, 'text/plain', 'a', 'completed', true)`,
    update: 'update akashi_chat.file_uploads set is_deleted = true',
  },
  favourite_rooms: {
    room: 'room_id',
    about: 'user_id',
    insert: 'insert into akashi_chat.favourite_rooms (room_id, user_id) values ($1, $2)',
    update: 'update akashi_chat.favourite_rooms set created_at = now()',
  },
  pinned_messages: {
    room: 'room_id',
    about: 'pinned_by',
    insert:
      'insert into akashi_chat.pinned_messages (room_id, message_id, pinned_by) values ($1, gen_random_uuid(), $2)',
    update: 'update akashi_chat.pinned_messages set created_at = now()',
  },
  saved_messages: {
    room: 'room_id',
    about: 'user_id',
    insert:
      'insert into akashi_chat.saved_messages (room_id, message_id, user_id) values ($1, gen_random_uuid(), $2)',
    update: 'update akashi_chat.saved_messages set created_at = now()',
  },
  messages: {
    room: 'room_id',
    about: 'user_id',
    insert: `insert into akashi_chat.messages (id, room_id, user_id, sequence, content, content_encrypted, client_id, created_at)
      select akashi_chat.message_id(t.at), $1, $2, 0, 'room1.' || t.row || '.' || repeat('A', 48), true, t.row, t.at
      from (select date_trunc('milliseconds', now()) as at, gen_random_uuid() as row) t`,
    update: `update akashi_chat.messages set content = 'forged'`,
  },
  message_edits: {
    room: 'room_id',
    about: 'edited_by',
    insert: `insert into akashi_chat.message_edits (message_id, room_id, edited_by, kind, previous_content, content_encrypted)
      values (gen_random_uuid(), $1, $2, 'edit', 'room1.' || gen_random_uuid() || '.' || repeat('A', 48), true)`,
    update: `update akashi_chat.message_edits set previous_content = 'never'`,
  },
  message_reactions: {
    room: 'room_id',
    about: 'user_id',
    insert: `insert into akashi_chat.message_reactions (message_id, room_id, user_id, emoji) values (gen_random_uuid(), $1, $2, 'x')`,
    update: `update akashi_chat.message_reactions set emoji = 'y'`,
  },
  notifications: {
    room: 'room_id',
    about: 'user_id',
    insert: `insert into akashi_chat.notifications (user_id, room_id, notification_type) values ($2, $1, 'mention')`,
    update: `update akashi_chat.notifications set delivery_status = 'delivered', delivered_at = now()`,
  },
  read_positions: {
    room: 'room_id',
    about: 'user_id',
    insert:
      'insert into akashi_chat.read_positions (room_id, user_id, message_id, read_to) values ($1, $2, gen_random_uuid(), now())',
    update: 'update akashi_chat.read_positions set read_to = now()',
  },
  room_events: {
    room: 'room_id',
    about: 'user_id',
    insert: `insert into akashi_chat.room_events (room_id, sequence, event_type, user_id)
      values ($1, (random() * 1e15)::bigint, 'member_joined', $2)`,
    update: `update akashi_chat.room_events set detail = '{"forged": true}'`,
  },
  room_invitations: {
    room: 'room_id',
    about: 'invited_user_id',
    insert: `insert into akashi_chat.room_invitations (room_id, invited_user_id, expires_at, status, responded_at)
      values ($1, $2, now() + interval '1 day', 'accepted', now())`,
    update: `update akashi_chat.room_invitations set expires_at = now() + interval '9 days'`,
  },
  room_keys: {
    room: 'room_id',
    about: 'user_id',
    insert: `insert into akashi_chat.room_keys (room_id, user_id, wrapped) values ($1, $2, decode(repeat('00', 88), 'hex'))`,
    update: 'update akashi_chat.room_keys set created_at = now()',
  },
  room_members: {
    room: 'room_id',
    about: 'user_id',
    insert: 'insert into akashi_chat.room_members (room_id, user_id) values ($1, $2)',
    update: `update akashi_chat.room_members set role = 'owner'`,
  },
  room_sequences: {
    room: 'room_id',
    about: 'null::uuid',
    insert: 'insert into akashi_chat.room_sequences (room_id) select $1::uuid where $2::uuid is not null',
    update: 'update akashi_chat.room_sequences set last_sequence = last_sequence + 1',
  },
  rooms: {
    room: 'id',
    about: 'null::uuid',
    insert: `insert into akashi_chat.rooms (id, name, room_type, is_encrypted) select coalesce($1::uuid, gen_random_uuid()), 'r', 'private', true where $2::uuid is not null`,
    update: `update akashi_chat.rooms set name = 'mine'`,
  },
  user_preferences: {
    room: 'null::uuid',
    about: 'user_id',
    insert: 'insert into akashi_chat.user_preferences (user_id) select $2::uuid where $1::uuid is not null',
    update: `update akashi_chat.user_preferences set theme = 'dark'`,
  },
}

const database = testDatabase()
const pools = {
  app: database.open('app'),
  worker: database.open('worker'),
  reader: database.open('reader'),
  security_admin: database.open('security_admin'),
} satisfies Partial<Record<DatabaseRole, unknown>>
const actors: Partial<Record<Caller, Actor & { readonly userId: string }>> = {}
const room = randomUUID()
const otherRoom = randomUUID()
const rolledBack = Symbol('rolled back')

/** Runs as the caller and takes it back; answers what it answered. */
async function attempt<T>(caller: Caller, work: (session: Session) => Promise<T>): Promise<T> {
  const isLogin = caller === 'worker' || caller === 'reader' || caller === 'security_admin'
  let answer: { readonly value: T } | undefined
  try {
    await pools[isLogin ? caller : 'app'].transaction(actors[caller] ?? tester, async (session) => {
      answer = { value: await work(session) }
      throw rolledBack
    })
  } catch (error) {
    if (error !== rolledBack) throw error
  }
  if (answer === undefined) throw new Error('nothing ran')
  return answer.value
}

async function canWrite(
  caller: Caller,
  text: string,
  values: readonly unknown[],
): Promise<'yes' | 'no' | 'none'> {
  try {
    const { rowCount } = await attempt(caller, (session) => session.query(text, values))
    return rowCount > 0 ? 'yes' : 'none'
  } catch (error) {
    expect(error, text).toMatchObject({ code: expect.stringMatching(/^(forbidden|already_exists)$/) })
    return error instanceof AkashiError && error.code === 'already_exists' ? 'none' : 'no'
  }
}

async function canRead(caller: Caller, table: string): Promise<Seen> {
  const { room: ofRoom = '', about = '' } = commands[table] ?? {}
  const count = async (session: Session) => {
    const { rows } = await session.query<{ all: number; room: number; own: number }>(
      `select count(*)::int as all, count(*) filter (where room = $1)::int as room, count(*) filter (where about = $2)::int as own
       from (select ${ofRoom} as room, ${about} as about from akashi_chat.${table}) t`,
      [room, actors[caller]?.userId ?? null],
    )
    return rows[0] ?? { all: 0, room: 0, own: 0 }
  }
  const there = await database.asSuperuser(count)
  try {
    const seen = await attempt(caller, count)
    if (seen.all === 0) return 'none'
    if (seen.all === there.all) return 'all'
    if (seen.all === seen.room && seen.room === there.room) return 'room'
    return seen.all === seen.own && seen.own === there.own ? 'own' : 'some'
  } catch (error) {
    expect(error).toMatchObject({ code: 'forbidden' })
    return 'no'
  }
}

beforeAll(async () => {
  const elsewhere = await makePerson(database, pools.app, 'elsewhere')
  for (const name of people) {
    const { id } = await makePerson(database, pools.app, name)
    actors[name] = person({ userId: id })
  }
  await database.asSuperuser(async (session) => {
    for (const id of [room, otherRoom]) {
      for (const table of ['rooms', 'room_sequences'])
        await session.query(commands[table]?.insert ?? '', [id, id])
    }
    const rowsOf = [
      ...people.filter((name) => name !== 'stranger').map((name) => [room, actors[name]?.userId]),
      [otherRoom, elsewhere.id],
    ]
    for (const { insert, about } of Object.values(commands)) {
      if (about === 'null::uuid') continue
      for (const values of rowsOf) await session.query(insert, values)
    }
    for (const name of ['owner', 'admin'] as const) {
      await session.query('update akashi_chat.room_members set role = $1 where user_id = $2', [
        name,
        actors[name]?.userId,
      ])
    }
    await session.query(
      'update akashi_chat.room_members set is_active = false, left_at = now() where user_id = $1',
      [actors['removed']?.userId],
    )
  })
})

describe('the access matrix of the chat, tried out', () => {
  it('has every table of the schema', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ name: string }>(
        `select c.relname as name from pg_class c where c.relnamespace = 'akashi_chat'::regnamespace and c.relkind in ('r', 'p')
           and not c.relispartition order by 1`,
      ),
    )
    expect(Object.keys(matrix)).toEqual(rows.map(({ name }) => name))
  })

  it.each(Object.keys(matrix))('select %s', async (table) => {
    const found: Partial<Record<Caller, string>> = {}
    for (const caller of callers) found[caller] = await canRead(caller, table)
    expect(found).toEqual(matrix[table]?.select)
  })

  it.each(
    Object.keys(matrix).flatMap((table) =>
      (['insert', 'update', 'delete'] as const).map((command) => [command, table] as const),
    ),
  )('%s %s', async (command, table) => {
    const { insert = '', update = '' } = commands[table] ?? {}
    const found: Caller[] = []
    for (const caller of callers) {
      // The worst that somebody could add: a row of their own name in the room of the others.
      const about = actors[caller]?.userId ?? actors['owner']?.userId
      const outcome =
        command === 'insert'
          ? await canWrite(caller, insert, [table === 'rooms' ? randomUUID() : room, about])
          : await canWrite(caller, command === 'update' ? update : `delete from akashi_chat.${table}`, [])
      if (outcome === 'yes') found.push(caller)
    }
    expect(found).toEqual(matrix[table]?.[command] ?? [])
  })

  it.each(['user_preferences', 'notifications'])('nobody changes what is others’ in %s', async (table) => {
    for (const caller of people) {
      const other = actors[caller === 'owner' ? 'member' : 'owner']?.userId
      const { update = '', about = '' } = commands[table] ?? {}
      expect(await canWrite(caller, `${update} where ${about} = $1`, [other]), caller).toBe('none')
    }
  })

  it('nobody writes preferences of others', async () => {
    for (const caller of people) {
      const stranger = actors['stranger']?.userId
      if (caller === 'stranger') continue
      expect(
        await canWrite(caller, commands['user_preferences']?.insert ?? '', [room, stranger]),
        caller,
      ).toBe('no')
    }
  })
})
