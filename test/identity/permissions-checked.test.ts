/** No permission exists that nothing checks, but for those that applications check themselves. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { permissionsOf } from '../../src/http/access.ts'
import { testApp } from '../http/support.ts'
import { testDatabase } from '../support/index.ts'
import { MIGRATIONS } from '../support/settings.ts'

const database = testDatabase()

/** Of the applications that brought them: what they guard is not here. */
const ofApplications = new Set([
  ...['read', 'write', 'delete', 'admin'].flatMap((action) => [
    `api_gateway:${action}`,
    `vault_secrets:${action}`,
  ]),
  'monitoring:delete',
  'auth_config:delete',
  'users:delete',
])

/** What is asked in functions and policies, as a literal. */
function askedInSql(): Set<string> {
  const files = readdirSync(MIGRATIONS).filter(
    (name) => name.endsWith('.up.sql') && !name.includes('seed_roles'),
  )
  return new Set(
    files.flatMap((name) =>
      [
        ...readFileSync(`${MIGRATIONS}/${name}`, 'utf8').matchAll(/'([a-z_]+:(?:read|write|delete|admin))'/g),
      ].map(([, permission = '']) => permission),
    ),
  )
}

it('is checked by a route or in the database, or holds others of its resource that are', async () => {
  const app = testApp()
  await app.ready()
  const checked = new Set<string>([
    ...askedInSql(),
    ...app.accessTable.flatMap(({ access }) => permissionsOf(access)),
  ])
  await app.close()
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ name: string }>(
      `select resource || ':' || action as name from akashi_auth.permissions order by 1`,
    ),
  )
  const names = rows.map(({ name }) => name)
  const holdsOthers = (name: string) =>
    name.endsWith(':admin') && [...checked].some((each) => each.startsWith(name.replace('admin', '')))
  expect(names.length).toBeGreaterThan(40)
  expect(
    names.filter((name) => !checked.has(name) && !holdsOthers(name) && !ofApplications.has(name)),
  ).toEqual([])
  // And none is checked that nobody can have.
  expect([...checked].filter((name) => !names.includes(name))).toEqual([])
  // An exception that is one no more.
  expect([...ofApplications].filter((name) => !names.includes(name) || checked.has(name))).toEqual([])
})
