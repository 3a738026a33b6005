import { expect, it } from 'vitest'
import { purgeIdentity } from '../../src/identity/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { makeUser } from './people.ts'

const database = testDatabase()
const worker = database.open('worker')

async function ask<R>(text: string, values: unknown[] = []): Promise<R[]> {
  return await database.asSuperuser(async (session) => (await session.query<R>(text, values)).rows)
}

it('removes what has outlived its time, and nothing else', async () => {
  const [gone, stays] = [await makeUser(database), await makeUser(database)]
  for (const [user, days] of [
    [gone, 8],
    [stays, 6],
  ] as const) {
    await ask(
      `insert into akashi_auth.user_sessions (user_id, session_token_hash, expires_at, revoked_at)
       values ($1, sha256(uuid_send($1::uuid)), now() - $2 * interval '1 day' - interval '23 days', now())`,
      [user.userId, days],
    )
    await ask(
      `insert into akashi_auth.local_credentials (user_id, password_hash, must_change, expires_at)
       values ($1, '$argon2id$x', true, now() - $2 * interval '1 day')`,
      [user.userId, days],
    )
    await ask(
      `insert into akashi_auth.mfa_factors (user_id, secret, created_at, confirmed_at)
       values ($1, 'x', now() - $2 * interval '1 day', null), ($1, 'x', now() - interval '1 year', now())`,
      [user.userId, days],
    )
    await ask(
      `insert into akashi_auth.login_throttles (key, expires_at) values (sha256(uuid_send($1::uuid)), now() + (7 - $2) * interval '1 hour')`,
      [user.userId, days],
    )
  }
  const chosen = await makeUser(database)
  await ask(`insert into akashi_auth.local_credentials (user_id, password_hash) values ($1, '$argon2id$x')`, [
    chosen.userId,
  ])
  expect(await purgeIdentity(worker, tester)).toEqual({
    sessions: 1,
    one_time_passwords: 1,
    unconfirmed_factors: 1,
    login_throttles: 1,
  })
  const left = await ask<{ owner: string; what: string }>(
    `select user_id as owner, 'session' as what from akashi_auth.user_sessions where expires_at < now()
     union all select user_id, 'password' from akashi_auth.local_credentials
     union all select user_id, 'factor' from akashi_auth.mfa_factors where confirmed_at is null
     union all select user_id, 'confirmed' from akashi_auth.mfa_factors where confirmed_at is not null order by 2`,
  )
  expect(left.filter(({ owner }) => owner === gone.userId).map(({ what }) => what)).toEqual(['confirmed'])
  expect(left.filter(({ owner }) => owner === stays.userId).map(({ what }) => what)).toEqual([
    ...['confirmed', 'factor', 'password', 'session'],
  ])
  expect(left.filter(({ owner }) => owner === chosen.userId)).toHaveLength(1)
  // Each of them is a row of the trail, as a removal by nobody but the timetable.
  const removals = await ask(
    `select table_name::text from akashi_audit.audit_logs where operation = 'DELETE' and data_subject = $1 order by 1`,
    [gone.userId],
  )
  expect(removals).toEqual([
    ...['local_credentials', 'mfa_factors', 'user_sessions'].map((name) => ({ table_name: name })),
  ])
  expect(Object.values(await purgeIdentity(worker, tester))).toEqual([0, 0, 0, 0])
})

it('goes by the settings, and is in the timetable', async () => {
  const user = await makeUser(database)
  await ask(
    `insert into akashi_auth.user_sessions (user_id, session_token_hash, expires_at) values ($1, sha256('s'), now() - interval '2 days')`,
    [user.userId],
  )
  const left = () =>
    ask('select from akashi_auth.user_sessions where user_id = $1 and expires_at < now()', [user.userId])
  await purgeIdentity(worker, tester)
  expect(await left()).toHaveLength(1)
  await ask(`update akashi_lifecycle.settings set value = '1' where key = 'session.retention_days'`)
  await purgeIdentity(worker, tester)
  expect(await left()).toHaveLength(0)
  expect(await ask(`select schedule from akashi_lifecycle.jobs where task = 'identity.purge'`)).toEqual([
    { schedule: '0 18 * * *' },
  ])
})
