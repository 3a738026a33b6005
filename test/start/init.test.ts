/** `akashi init` and `remove` on servers of somebody's own, as administrators who are no superusers. */
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrateUp } from '../../src/postgres/index.ts'
import { urlOf } from '../../src/start/index.ts'
import { akashi } from '../cli/world.ts'
import { ask } from '../support/embedded.ts'
import { startThrowaway, type ThrowawayServer } from '../support/embedded-server.ts'
import { hasPgBouncer, MIGRATIONS, POSTGRES_15, startLocalServer, startPgBouncer } from '../support/index.ts'

const servers = [
  { name: 'PostgreSQL 18', start: startThrowaway, here: true },
  {
    name: 'PostgreSQL 15',
    start: () => startLocalServer(POSTGRES_15),
    here: process.env['CI'] === 'true' || existsSync(POSTGRES_15),
  },
]
const PASSWORD = 'test-administrator'
const START_TIMEOUT_MS = 240_000

describe.each(servers.filter(({ here }) => here))('on $name', { timeout: START_TIMEOUT_MS }, ({ start }) => {
  let server: ThrowawayServer
  let folder = ''

  beforeAll(async () => {
    server = await start()
    folder = await mkdtemp(join(tmpdir(), 'akashi-init-'))
    await ask(
      server.url('postgres'),
      `create role dba login createrole createdb password '${PASSWORD}';
       create role plain login password '${PASSWORD}'`,
    )
  }, START_TIMEOUT_MS)

  afterAll(async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const at = (database: string) => {
    const url = new URL(server.url('postgres'))
    url.pathname = `/${encodeURIComponent(database)}`
    return url.href
  }
  const urlFor = (login: string, database: string) => urlOf(at(database), login, PASSWORD)

  const run = (url: string, ...argv: string[]) =>
    akashi(argv, {
      world: {
        environment: {
          DATABASE_URL: url,
          OBJECT_STORE_URL: `file:${join(folder, 'objects')}`,
          KEYS_URL: `file:${join(folder, 'keys')}`,
        },
      },
    })

  async function refusal(url: string, ...argv: string[]): Promise<string> {
    const { status, stdout, stderr } = await run(url, ...argv)
    expect(status, stderr).toBeGreaterThan(1)
    expect(stdout).toBe('')
    // One line that says what, one that says how to go on, and no password.
    expect(stderr).toMatch(/^akashi: .+\nhint: .+\n$/)
    expect(stderr).not.toContain(PASSWORD)
    return stderr
  }

  const leftovers = (database: string) =>
    ask<{ name: string }>(
      at(database),
      `select nspname::text as name from pg_namespace where nspname ~ '^akashi_[a-z]+$'
       union all select rolname from pg_roles where rolname like 'akashi%'
       union all select tgname from pg_trigger where tgname like 'akashi%'
       union all select pubname from pg_publication union all select slot_name from pg_replication_slots`,
    )

  it('installs, is run again, leaves no trace but the record, and installs again', async () => {
    const database = 'a "quoted" shop'
    await ask(server.url('postgres'), `create database "a ""quoted"" shop" owner dba`)
    const url = urlFor('dba', database)
    await ask(
      url,
      `create schema app; create table app.orders (id int primary key, item text);
       create table app.notes (id int primary key); alter table app.notes replica identity nothing;
       create table app."Line Items" (id int primary key)`,
    )

    const planned = await run(url, 'init', '--dry-run')
    expect(planned).toMatchObject({ status: 0, stderr: '' })
    expect(planned.stdout).toContain('would create the roles akashi_owner')
    expect(await leftovers(database)).toEqual([])

    const secrets = join(folder, 'secrets')
    const first = await run(url, 'init', '--secrets', secrets)
    expect(first).toMatchObject({ status: 0, stderr: '' })
    expect(first.stdout).toContain(secrets)
    expect(await readdir(secrets)).toEqual(['database-url'])
    expect((await stat(join(secrets, 'database-url'))).mode & 0o777).toBe(0o600)
    const serverUrl = await readFile(join(secrets, 'database-url'), 'utf8')
    expect(first.stdout).not.toContain(new URL(serverUrl).password)
    const [login] = await ask<{ login: string }>(serverUrl, 'select session_user::text as login')
    expect(login?.login).toBe('akashi_server')
    expect(await refusal(url, 'init', '--new-password', '--secrets', secrets)).toContain(
      'secrets are already in',
    )

    const again = await run(url, 'init')
    expect(again).toMatchObject({ status: 0, stderr: '' })
    expect(again.stdout).toContain('akashi_server keeps its password')
    await ask(serverUrl, 'select 1')

    const own = await run(url, 'app', 'create', 'shop', '--login', 'my "shop"', '--json')
    expect(own).toMatchObject({ status: 0, stderr: '' })
    const access = JSON.parse(own.stdout) as { databaseUrl: string; contextKey: string }
    expect(access.contextKey).toMatch(/^akctx_shop-[0-9a-f]{8}_[0-9a-f]{64}$/)
    const [rights] = await ask<object>(
      access.databaseUrl,
      `select session_user::text as login, pg_has_role(session_user, 'akashi_client', 'usage') as app,
              pg_has_role(session_user, 'akashi_worker', 'member') as worker,
              has_schema_privilege('app', 'usage') as tables,
              rolsuper or rolcreaterole or rolcreatedb or rolbypassrls as more
       from pg_roles where rolname = session_user`,
    )
    expect(rights).toEqual({ login: 'my "shop"', app: true, worker: false, tables: false, more: false })
    const twice = await refusal(url, 'app', 'create', 'shop', '--login', 'my "shop"')
    expect(twice).toContain('already a role')
    expect(await refusal(url, 'app', 'create', 'Shop')).toContain('is not a valid application name')

    for (const table of ['app.orders', 'app.notes', 'app."Line Items"']) {
      expect(await run(url, 'protect', table)).toMatchObject({ status: 0, stderr: '' })
    }
    await ask(url, `insert into app.orders values (1, 'tea'); insert into app."Line Items" values (1)`)
    await ask(url, 'create view app.me as select akashi_auth.context_user() as me')
    expect(await refusal(url, 'remove', '--yes')).toContain('view app.me')
    await ask(url, 'drop view app.me')
    expect(await refusal(url, 'remove')).toContain('was not confirmed')

    await ask(url, 'grant create on schema app to akashi_owner; alter table app.orders owner to akashi_owner')
    const dryRun = await run(url, 'remove', '--dry-run')
    expect(dryRun.stdout).toContain('would give app.orders back to dba')
    expect(dryRun.stdout).toMatch(/would drop \d+ triggers of app."Line Items", app.notes, app.orders/)

    const removed = await run(url, 'remove', '--yes', '--json')
    expect(removed).toMatchObject({ status: 0, stderr: '' })
    expect(await leftovers(database)).toEqual([])
    const { schemas } = JSON.parse(removed.stdout) as { schemas: string[] }
    const audit = schemas.find((name) => name.startsWith('akashi_audit_removed_'))
    const [kept] = await ask<{ rows: number; identity: string; owner: string }>(
      url,
      `select count(*)::int as rows, (select relreplident::text from pg_class where oid = 'app.notes'::regclass) as identity,
              (select relowner::regrole::text from pg_class where oid = 'app.orders'::regclass) as owner
       from ${audit}.audit_logs where table_name = 'orders'`,
    )
    expect(kept).toEqual({ rows: 1, identity: 'n', owner: 'dba' })
    await ask(url, `insert into app.orders values (2, 'cup')`)
    const [code] = await ask<{ functions: number }>(
      url,
      `select count(*)::int as functions from pg_proc p join pg_namespace n on n.oid = p.pronamespace where nspname like 'akashi%'`,
    )
    expect(code?.functions).toBe(0)

    expect(await run(url, 'remove', '--yes')).toMatchObject({
      status: 0,
      stdout: 'Akashi is not in this database\n',
    })
    expect(await run(url, 'init')).toMatchObject({ status: 0, stderr: '' })
    expect(await run(url, 'remove', '--yes', '--destroy')).toMatchObject({ status: 0, stderr: '' })
    expect(await leftovers(database)).toEqual([])
  })

  it('completes what was begun, and keeps the roles while another database uses them', async () => {
    await ask(server.url('postgres'), 'create database one owner dba')
    await ask(server.url('postgres'), 'create database two owner dba')
    await migrateUp({ url: urlFor('dba', 'one'), directory: MIGRATIONS, to: 4 })
    expect((await run(urlFor('dba', 'one'), 'init', '--new-password')).stdout).toContain('DATABASE_URL=')
    expect(await run(urlFor('dba', 'two'), 'init')).toMatchObject({ status: 0 })
    // Since version 16, the right to create roles is none to use those of another administrator.
    await ask(server.url('postgres'), 'create database three owner plain')
    expect(await refusal(urlFor('plain', 'three'), 'init')).toMatch(
      /grant .*akashi_owner.* to plain with admin option/,
    )

    expect((await run(urlFor('dba', 'one'), 'remove', '--yes', '--destroy')).stdout).toContain(
      'stays: the roles and the replication slot of backups, which two also uses',
    )
    expect(await run(urlFor('dba', 'two'), 'migrate', 'status')).toMatchObject({ status: 0 })
    expect(await run(urlFor('dba', 'two'), 'remove', '--yes', '--destroy')).toMatchObject({ status: 0 })
    expect(await leftovers('two')).toEqual([])
  })

  it('says what is in the way before it changes anything', async () => {
    const base = server.url('postgres')
    await ask(base, 'create database shop')
    await ask(base, `create database latin encoding 'SQL_ASCII' locale 'C' template template0`)
    await ask(base, 'create database taken owner dba')
    await ask(urlFor('dba', 'taken'), 'create schema akashi_audit')

    const plain = await refusal(urlFor('plain', 'shop'), 'init')
    expect(plain).toContain(
      'hint: grant create on database shop to plain with grant option; alter role plain createrole\n',
    )
    expect(await refusal(server.url('latin'), 'init')).toContain('is SQL_ASCII')
    expect(await refusal(urlFor('dba', 'taken'), 'init')).toContain('alter schema akashi_audit rename to')
    expect(await refusal(urlOf(base, 'dba', 'wrong'), 'init')).toContain('refused the login')
    expect(await refusal(server.url('nothing'), 'init')).toContain('does not exist')
    expect(await refusal('postgresql://dba@127.0.0.1:1/shop', 'init')).toContain('cannot be reached')
    expect(await leftovers('shop')).toEqual([])

    const named = await akashi(['init', '--database-url', urlFor('dba', 'shop')], {
      world: { directory: folder },
    })
    expect(named).toMatchObject({ status: 2, stdout: '' })
    expect(named.stderr).toContain('--database-url must not hold a password')
    expect(named.stderr).not.toContain(PASSWORD)
    const none = await akashi(['init'], { world: { directory: folder } })
    expect(none).toMatchObject({ status: 2, stderr: expect.stringContaining('set DATABASE_URL') as unknown })
  })

  it.skipIf(!hasPgBouncer())('refuses a pooler', async () => {
    const url = urlFor('dba', 'postgres')
    const pooler = await startPgBouncer([url], 2)
    try {
      expect(await refusal(pooler.url(url), 'init')).toContain('DATABASE_DIRECT_URL')
      expect(await refusal(pooler.url(url), 'remove', '--yes')).toContain('DATABASE_DIRECT_URL')
    } finally {
      await pooler.stop()
    }
  })
})
