import { randomUUID } from 'node:crypto'
import { type PersonInSession, person } from '../../src/postgres/index.ts'
import type { TestDatabase } from '../support/index.ts'

let made = 0

/** A user with an active account and these roles; answers the actor of a session that lives. */
export async function makeUser(
  database: TestDatabase,
  ...roles: readonly string[]
): Promise<PersonInSession> {
  const userId = randomUUID()
  const sessionId = randomUUID()
  made += 1
  const name = `person-${made}-${userId.slice(0, 8)}`
  await database.asSuperuser(async (session) => {
    await session.query(
      'insert into akashi_auth.users (id, subject, username, email) values ($1, $2, $2, $3)',
      [userId, name, `${name}@example.com`],
    )
    await session.query(
      `insert into akashi_auth.user_sessions (id, user_id, session_token_hash, expires_at)
       values ($1, $2, sha256(convert_to($3, 'UTF8')), now() + interval '1 hour')`,
      [sessionId, userId, sessionId],
    )
    await session.query(
      'insert into akashi_auth.user_roles (user_id, role_id) select $1, id from akashi_auth.roles where name = any ($2)',
      [userId, roles],
    )
  })
  return person({ userId, sessionId })
}

/** A role of a test with these permissions. */
export async function makeRole(
  database: TestDatabase,
  tier: string,
  ...permissions: readonly string[]
): Promise<string> {
  made += 1
  const name = `role_${made}_${randomUUID().slice(0, 8)}`
  await database.asSuperuser(async (session) => {
    await session.query('insert into akashi_auth.roles (name, tier) values ($1, $2)', [name, tier])
    await session.query(
      `insert into akashi_auth.role_permissions (role_id, permission_id) select r.id, p.id from akashi_auth.roles r, akashi_auth.permissions p
       where r.name = $1 and p.resource || ':' || p.action = any ($2)`,
      [name, permissions],
    )
  })
  return name
}
