import { describe, expect, it } from 'vitest'
import { person, type Session } from '../../src/postgres/index.ts'
import { describeTable } from '../support/catalog.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const app = database.open('app')
const worker = database.open('worker')

async function makeUser(username: string, more: Record<string, string> = {}): Promise<string> {
  const values = { subject: username, username, email: `${username}@example.com`, ...more }
  const names = Object.keys(values)
  return await database.asSuperuser(async (session) => {
    const { rows } = await session.query<{ id: string }>(
      `insert into akashi_auth.users (${names.join(', ')}) values (${names.map((_, at) => `$${at + 1}`).join(', ')}) returning id`,
      Object.values(values),
    )
    return rows[0]?.id ?? ''
  })
}

const usersOf = (session: Session) =>
  session
    .query<{ id: string }>('select id from akashi_auth.users')
    .then(({ rows }) => rows.map(({ id }) => id))

describe('akashi_auth.users', () => {
  it('has the columns, defaults and indexes of its sources', async () => {
    const table = await database.asSuperuser((session) => describeTable(session, 'akashi_auth.users'))
    expect(table.columns).toMatchObject({
      id: 'uuid not null = gen_random_uuid()',
      username: 'character varying(50) not null',
      display_name: 'character varying(100)',
      avatar_url: 'text',
      last_login_at: 'timestamp with time zone',
      security_classification: "character varying(50) not null = 'internal'::character varying",
      data_residency: expect.stringContaining("akashi_lifecycle.setting('organisation.data_residency'"),
      compliance_tags: "jsonb not null = '{}'::jsonb",
      created_at: 'timestamp with time zone not null = now()',
      updated_at: 'timestamp with time zone not null = now()',
      created_by: expect.stringMatching(/^character varying\(255\) = /),
      last_modified_by: 'character varying(255)',
    })
    expect(table.indexes).toEqual(
      expect.arrayContaining([
        'unique btree (id)',
        'unique btree (issuer, subject)',
        'unique btree (username)',
        'btree (account_status)',
        'btree (created_at)',
        'btree (security_classification)',
        'gin (compliance_tags)',
        'btree (last_login_at)',
        'btree (last_modified_by, updated_at)',
      ]),
    )
  })

  it('knows a person by issuer and subject, and a name once', async () => {
    await makeUser('taken', { issuer: 'https://id.example/a' })
    await makeUser('other', { issuer: 'https://id.example/b', subject: 'taken' })
    await expect(makeUser('third', { issuer: 'https://id.example/a', subject: 'taken' })).rejects.toThrow()
    await expect(makeUser('taken', { subject: 'fourth' })).rejects.toThrow()
    const { rows } = await database.asSuperuser((session) =>
      session.query(
        `insert into akashi_auth.users (subject, username, email) values ('l', 'local-one', 'l@example.com') returning issuer`,
      ),
    )
    expect(rows).toEqual([{ issuer: 'local' }])
  })

  it.each([
    ['a username of two characters', { username: 'ab' }],
    ['a username of 51 characters', { username: 'x'.repeat(51) }],
    ['another classification', { security_classification: 'secret' }],
    ['another state', { account_status: 'offline' }],
  ])('refuses %s', async (_, values) => {
    await expect(makeUser('refused', values)).rejects.toThrow()
  })

  it('derives activity from the state of the account', async () => {
    const derived: unknown[] = []
    for (const state of ['active', 'inactive', 'suspended', 'deleted']) {
      const id = await makeUser(`state-${state}`, { account_status: state })
      const { rows } = await worker.transaction(tester, (session) =>
        session.query('select is_active, is_deleted from akashi_auth.users where id = $1', [id]),
      )
      derived.push(...rows)
    }
    expect(derived).toEqual([
      { is_active: true, is_deleted: false },
      { is_active: false, is_deleted: false },
      { is_active: false, is_deleted: false },
      { is_active: false, is_deleted: true },
    ])
  })
})

describe('row-level security of users', () => {
  it('shows and changes one’s own row only', async () => {
    const mine = await makeUser('mine')
    const theirs = await makeUser('theirs')
    expect(await app.transaction(person({ userId: mine }), usersOf)).toEqual([mine])
    expect(await app.transaction(tester, usersOf)).toEqual([])
    const changed = await app.transaction(person({ userId: mine }), (session) =>
      session.query(`update akashi_auth.users set display_name = 'me' where id in ($1, $2) returning id`, [
        mine,
        theirs,
      ]),
    )
    expect(changed.rows).toEqual([{ id: mine }])
  })

  it('believes no context that is not signed', async () => {
    const id = await makeUser('unsigned')
    const seen = await app.transaction(tester, async (session) => {
      await session.query(`select set_config('app.current_user_id', $1, true)`, [id])
      return await usersOf(session)
    })
    expect(seen).toEqual([])
  })

  it.each(['security_classification', 'account_status', 'issuer', 'subject'])(
    'lets nobody change their own %s',
    async (column) => {
      const userId = await makeUser(`own-${column.replace('_', '-')}`)
      const change = app.transaction(person({ userId }), (session) =>
        session.query(`update akashi_auth.users set ${column} = 'public' where id = $1`, [userId]),
      )
      await expect(change).rejects.toMatchObject({ code: 'forbidden' })
    },
  )

  it('shows the public part of others, and the username where there is no display name', async () => {
    const userId = await makeUser('reader')
    const other = await makeUser('shown')
    await makeUser('gone', { account_status: 'deleted' })
    const { rows } = await app.transaction(person({ userId }), (session) =>
      session.query(`select * from akashi_auth.profiles where username in ('shown', 'gone')`),
    )
    expect(rows).toEqual([
      { id: other, username: 'shown', display_name: 'shown', avatar_url: null, is_active: true },
    ])
  })
})

describe('a change of a user', () => {
  it('keeps when and by whom, and stands in the trail', async () => {
    const userId = await makeUser('changed')
    await app.transaction(person({ userId }), (session) =>
      session.query(`update akashi_auth.users set display_name = 'Someone' where id = $1`, [userId]),
    )
    const user = await worker.transaction(tester, (session) =>
      session.query(
        'select last_modified_by, updated_at > created_at as later from akashi_auth.users where id = $1',
        [userId],
      ),
    )
    expect(user.rows).toEqual([{ last_modified_by: userId, later: true }])
    await database.asSuperuser((session) =>
      session.query('delete from akashi_auth.users where id = $1', [userId]),
    )
    const trail = await worker.transaction(tester, (session) =>
      session.query(
        `select operation, user_id, data_subject, data_classification from akashi_audit.audit_logs
         where table_name = 'users' and record_id = $1 order by seq`,
        [userId],
      ),
    )
    const about = { data_subject: userId, data_classification: 'confidential' }
    expect(trail.rows).toEqual([
      { operation: 'INSERT', user_id: null, ...about },
      { operation: 'UPDATE', user_id: userId, ...about },
      { operation: 'DELETE', user_id: null, ...about },
    ])
  })
})
