import { describe, expect, test } from 'vitest'
import { AkashiError } from '../../src/foundation/index.ts'
import { person } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const userId = '019a0000-0000-7000-8000-000000000001'

describe('the context of a transaction', () => {
  test('is verified by the database and names the user', async () => {
    const app = database.open('app')
    const seen = await app.transaction(
      person({ userId }, { clientIp: '192.0.2.7', userAgent: 'Ünïcode 🙂' }),
      async (session) => {
        const { rows } = await session.query(`
        select akashi_auth.context_verified() as verified, akashi_auth.current_user_id() as "user",
               current_setting('app.user_agent') as agent`)
        return rows[0]
      },
    )
    expect(seen).toEqual({ verified: true, user: userId, agent: 'Ünïcode 🙂' })
  })

  test('names no user where none acts', async () => {
    const app = database.open('app')
    const seen = await app.transaction(tester, async (session) => {
      const { rows } = await session.query(
        'select akashi_auth.context_verified() as verified, akashi_auth.current_user_id() as "user"',
      )
      return rows[0]
    })
    expect(seen).toEqual({ verified: true, user: null })
  })

  test('does not count when it was not signed', async () => {
    const app = database.open('app', { url: database.url('app') })
    const seen = await app.transaction(tester, async (session) => {
      await session.query(`select set_config('app.current_user_id', $1, true)`, [userId])
      const { rows } = await session.query(
        'select akashi_auth.context_verified() as verified, akashi_auth.current_user_id() as "user"',
      )
      return rows[0]
    })
    expect(seen).toEqual({ verified: false, user: null })
  })
})

test('a superuser who acts as a role has the rights of the role alone', async () => {
  const app = database.open('app', { url: database.url('owner') })
  await database.asSuperuser((session) =>
    session.query(
      "insert into akashi_auth.users (subject, username, email) values ('s', 'hidden', 'hidden@example.com')",
    ),
  )
  const { rows } = await app.transaction(tester, (session) =>
    session.query(
      'select current_user::text as name, array(select username from akashi_auth.users) as users',
    ),
  )
  expect(rows).toEqual([{ name: 'akashi_app', users: [] }])
  await expect(
    app.transaction(tester, (session) => session.query('select from akashi_auth.context_keys')),
  ).rejects.toMatchObject({ code: 'forbidden' })
})

test('rolls back what a failing work has written and keeps the connection', async () => {
  await database.asSuperuser(async (session) => {
    await session.query('create table public.notes (id int primary key)')
    await session.query('grant all on public.notes to akashi_app')
  })
  const app = database.open('app', { poolSize: 1 })
  const pid = async () =>
    await app.transaction(
      tester,
      async (session) => (await session.query('select pg_backend_pid() as pid')).rows[0],
    )
  const before = await pid()
  const failure = new Error('changed my mind')
  await expect(
    app.transaction(tester, async (session) => {
      await session.query('insert into public.notes values (1)')
      throw failure
    }),
  ).rejects.toBe(failure)
  expect(await pid()).toEqual(before)
  const { rows } = await app.transaction(tester, (session) => session.query('select id from public.notes'))
  expect(rows).toEqual([])
})

test('cancels the running statement when the signal fires', async () => {
  const app = database.open('app', { poolSize: 1 })
  const controller = new AbortController()
  const { promise: running, resolve } = Promise.withResolvers<void>()
  const transaction = app.transaction(
    tester,
    async (session) => {
      const sleeping = session.query('select pg_sleep(600)')
      resolve()
      await sleeping
    },
    { signal: controller.signal },
  )
  const outcome = expect(transaction).rejects.toMatchObject({ code: 'cancelled' })
  await running
  controller.abort()
  await outcome
  await app.transaction(tester, (session) => session.query('select 1'))
})

test('refuses to pretend that a transaction with a failed statement was committed', async () => {
  const app = database.open('app')
  const error = await app
    .transaction(tester, async (session) => {
      await session.query('select 1/0').catch(() => undefined)
    })
    .catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(AkashiError)
  expect(error).toMatchObject({ code: 'invalid_input', detail: { sqlstate: '22012' } })
})
