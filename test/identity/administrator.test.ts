import { expect, it } from 'vitest'
import { createFirstAdministrator } from '../../src/identity/index.ts'
import { testDatabase } from '../support/index.ts'
import { testServer } from './server.ts'

const database = testDatabase()
const server = testServer(database)

it('the first administrator is made once, by whichever server is first, and is nobody who was there', async () => {
  const bystander = await server.user('admin')
  const parts = server.identity().login
  const made = await Promise.all([1, 2, 3].map(() => createFirstAdministrator(parts)))
  const administrators = made.filter((each) => each !== null)
  expect(administrators).toHaveLength(1)
  expect(administrators[0]?.username).toMatch(/^admin-[0-9a-f]{6}$/)
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ username: string; id: string }>(
      `select u.username, u.id from akashi_auth.user_roles ur join akashi_auth.users u on u.id = ur.user_id
       join akashi_auth.roles r on r.id = ur.role_id where r.name = 'sys_admin'`,
    ),
  )
  expect(rows.map(({ username }) => username)).toEqual([administrators[0]?.username])
  expect(rows[0]?.id).not.toBe(bystander)
  expect(await createFirstAdministrator(parts)).toBeNull()
})
