/** With DATABASE_URL every transaction acts as the role of its purpose, or the start names the grant that is missing. */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { akashi, akashiServer } from '../../scripts/akashi-process.ts'
import { loadConfig } from '../../src/foundation/index.ts'
import { type Keyring, openKeyring } from '../../src/keys/index.ts'
import { type DatabaseRole, openDatabase } from '../../src/postgres/index.ts'
import { type Connections, findConnections, migrateDatabase } from '../../src/start/index.ts'
import {
  POSTGRES_15,
  startLocalServer,
  startThrowaway,
  type ThrowawayServer,
  tester,
} from '../support/index.ts'

const DATABASE = 'app'
const PASSWORD = 'a-password'
const SERVER_ROLES = ['app', 'worker', 'security_admin', 'backup'] as const
const ROLES: readonly DatabaseRole[] = [...SERVER_ROLES, 'owner', 'reader']

const servers = [
  { name: 'PostgreSQL 18', start: startThrowaway, present: true },
  {
    name: 'PostgreSQL 15 (skipped where it is not installed)',
    start: () => startLocalServer(POSTGRES_15),
    present: process.env['CI'] === 'true' || existsSync(POSTGRES_15),
  },
]

describe.each(servers)('on $name', ({ start, present }) => {
  describe.skipIf(!present)('with DATABASE_URL', () => {
    let server: ThrowawayServer
    let folder = ''

    const asSuperuser = async (...statements: string[]) => {
      const database = openDatabase({ url: server.url(DATABASE), role: 'owner', poolSize: 1 })
      try {
        for (const statement of statements) await database.direct((session) => session.query(statement))
      } finally {
        await database.close()
      }
    }
    const urlOf = (login: string) => {
      const url = new URL(server.url(DATABASE))
      url.username = login
      url.password = PASSWORD
      return url.href
    }
    const places = () => ({
      KEYS_URL: pathToFileURL(join(folder, 'keys')).href,
      OBJECT_STORE_URL: pathToFileURL(join(folder, 'objects')).href,
    })
    const connect = async (url: string, keyring: Keyring | null = null): Promise<Connections> =>
      findConnections(await loadConfig({ environment: { DATABASE_URL: url }, directory: folder }), keyring)
    const run = (verb: string, login: string) =>
      akashi([verb, '--data', join(folder, login)], { env: { DATABASE_URL: urlOf(login), ...places() } })

    beforeAll(async () => {
      server = await start()
      folder = await mkdtemp(join(tmpdir(), 'akashi-roles-'))
      const maintenance = openDatabase({ url: server.url('postgres'), role: 'owner' })
      await maintenance.direct((session) =>
        session.query(`create role migrator login createrole password '${PASSWORD}'`),
      )
      await maintenance.direct((session) => session.query(`create database ${DATABASE} owner migrator`))
      await maintenance.close()
      // As on a managed service: nobody is a superuser.
      const keyring = await openKeyring(places().KEYS_URL)
      const connections = await connect(urlOf('migrator'), keyring)
      await migrateDatabase({ connections, keyring, actor: tester })
      await keyring.close()
      await asSuperuser(
        `alter role akashi_server password '${PASSWORD}'`,
        `create role "half-way" login noinherit password '${PASSWORD}'`,
        'grant akashi_app, akashi_worker to "half-way"',
        `create role stranger login password '${PASSWORD}'`,
      )
    }, 120_000)
    afterAll(async () => {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    })

    const whoIn = async (connections: Connections, role: DatabaseRole) => {
      const database = connections.open(role, { poolSize: 1 })
      const who = 'select current_user::text as role, session_user::text as login'
      try {
        const inTransaction = await database.transaction(tester, (session) => session.query(who))
        const direct = await database.direct(async (session) => ({
          transaction: (await session.transaction(tester, (inner) => inner.query(who))).rows[0],
          outside: (await session.query(who)).rows[0],
        }))
        return { transaction: inTransaction.rows[0], direct }
      } finally {
        await database.close()
      }
    }

    it.each(SERVER_ROLES)('the login of a server acts as %s', async (role) => {
      const expected = { role: `akashi_${role}`, login: 'akashi_server' }
      expect(await whoIn(await connect(urlOf('akashi_server')), role)).toEqual({
        transaction: expected,
        direct: { transaction: expected, outside: expected },
      })
    })

    it.each(ROLES)('whoever migrated acts as %s', async (role) => {
      const expected = { role: `akashi_${role}`, login: 'migrator' }
      const { transaction, direct } = await whoIn(await connect(urlOf('migrator')), role)
      expect([transaction, direct.transaction]).toEqual([expected, expected])
      // Outside of a transaction an administrator stays one: roles and databases are not the owner's.
      expect(direct.outside).toEqual(role === 'owner' ? { role: 'migrator', login: 'migrator' } : expected)
    })

    it('the login of a server has no right of its own', async () => {
      const login = openDatabase({ url: urlOf('akashi_server'), role: 'owner', poolSize: 1 })
      for (const statement of ['select from akashi_auth.users', 'select from akashi_lifecycle.jobs'])
        await expect(login.direct((session) => session.query(statement))).rejects.toMatchObject({
          code: 'forbidden',
        })
      await login.close()
    })

    it.each([
      ['akashi_server', 'worker', 'app'],
      ['migrator', 'owner', 'app'],
    ] as const)('%s may make users as %s, and not as %s', async (login, allowed, refused) => {
      const connections = await connect(urlOf(login))
      const makeUser = async (role: DatabaseRole) => {
        const database = connections.open(role, { poolSize: 1 })
        const id = randomUUID()
        const statement = `select akashi_auth.create_user($1, 'local', '\\x00', sha256($2), $3, null, '\\x00', sha256($2), 'm', null,
          'active', 'internal', null, '{}')`
        try {
          return await database.transaction(tester, (session) =>
            session.query(statement, [id, Buffer.from(id), id.slice(0, 8)]),
          )
        } finally {
          await database.close()
        }
      }
      await expect(makeUser(refused)).rejects.toMatchObject({ code: 'forbidden' })
      expect(await makeUser(allowed)).toMatchObject({ rowCount: 1 })
    })

    it('a login that is not a member is refused, and what the hint says helps', async () => {
      const connections = await connect(urlOf('stranger'))
      const attempt = async () => {
        const database = connections.open('reader', { poolSize: 1 })
        try {
          return await database.transaction(tester, (session) => session.query('select 1'))
        } finally {
          await database.close()
        }
      }
      const refused: unknown = await attempt().catch((error: unknown) => error)
      expect(refused).toMatchObject({
        code: 'invalid_config',
        message: 'the login stranger is not a member of akashi_reader',
        hint: expect.stringMatching(/^grant akashi_reader to stranger( with set true)?$/),
      })
      await asSuperuser((refused as { hint: string }).hint)
      expect((await attempt()).rowCount).toBe(1)
    })

    it.each(['serve', 'work'])(
      'akashi %s refuses to start, and names every grant that is missing',
      async (verb) => {
        const { status, stdout, stderr } = await run(verb, 'half-way')
        expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
        expect(stderr).toMatch(
          /^akashi: the login half-way is not a member of akashi_security_admin, akashi_backup\nhint: grant akashi_security_admin, akashi_backup to "half-way"( with set true)?\n$/,
        )
      },
    )

    it('akashi serve refuses a superuser, whom row-level security does not bind', async () => {
      const env = { DATABASE_URL: server.url(DATABASE), ...places() }
      const { status, stderr } = await akashi(['serve', '--data', join(folder, 'super')], { env })
      expect(status).toBe(2)
      expect(stderr).toContain('the login postgres bypasses row-level security')
      expect(stderr).toContain('log in as akashi_server')
    })

    it('akashi serve starts as akashi_server, and akashi work as whoever was granted what the hint said', async () => {
      const env = { DATABASE_URL: urlOf('akashi_server'), ...places() }
      const node = await akashiServer(['serve', '--data', join(folder, 'node'), '--port', '0'], { env })
      try {
        expect((await fetch(`${node.url}/readyz`)).status).toBe(200)
      } finally {
        expect(await node.stop()).toBe(0)
      }
      const { stderr } = await run('work', 'half-way')
      await asSuperuser(/^hint: (.*)$/m.exec(stderr)?.[1] ?? '')
      const worker = await akashiServer(['work', '--data', join(folder, 'half-way')], {
        env: { ...env, DATABASE_URL: urlOf('half-way') },
      })
      expect(await worker.stop()).toBe(0)
      const database = openDatabase({ url: server.url(DATABASE), role: 'owner', poolSize: 1 })
      const { rows } = await database.direct((session) =>
        session.query(
          `select nspowner::regrole::text as owner from pg_namespace where nspname = 'akashi_jobs'`,
        ),
      )
      await database.close()
      expect(rows).toEqual([{ owner: 'akashi_worker' }])
    })
  })
})
