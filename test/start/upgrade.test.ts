/** The data of PostgreSQL 15, brought to the embedded version as a user does it. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { akashi, akashiUp } from '../../scripts/akashi-process.ts'
import { logs, seal } from '../../src/audit/index.ts'
import { openKeyring } from '../../src/keys/index.ts'
import { prepareCluster } from '../../src/start/index.ts'
import { ask, reachableFolder, removeDataDir } from '../support/embedded.ts'
import { POSTGRES_15, tester } from '../support/index.ts'
import { accountIds, freePort } from '../support/local-server.ts'

const MINUTES_MS = 300_000
const PASSWORD = 'old-superuser'
const START_ATTEMPTS = 300
const START_PAUSE_MS = 200
const account = process.getuid?.() === 0 ? accountIds() : undefined
const possible = existsSync(POSTGRES_15)

let data = ''
let home = ''

/** Starts the old version's server on the folder as an Akashi of its time did. */
async function oldServer<T>(
  work: (url: (database: string) => string, port: number) => Promise<T>,
): Promise<T> {
  const port = await freePort()
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${home}/run`]
  const server = spawn(
    join(POSTGRES_15, 'postgres'),
    ['-D', join(home, 'data'), ...[...settings, 'fsync=off', 'wal_level=replica'].flatMap((s) => ['-c', s])],
    { ...account, cwd: join(home, 'data'), stdio: 'ignore' },
  )
  const exited = once(server, 'exit')
  const url = (database: string) =>
    `postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/${encodeURIComponent(database)}`
  try {
    for (let tries = 0; tries < START_ATTEMPTS; tries += 1) {
      if (await ask(url('postgres'), 'select 1').then(Boolean, () => false)) break
      await sleep(START_PAUSE_MS)
    }
    return await work(url, port)
  } finally {
    server.kill('SIGINT')
    await exited
  }
}

const ours = `array['public', 'akashi_auth', 'akashi_chat', 'akashi_audit', 'akashi_security', 'akashi_lifecycle', 'akashi_keys', 'akashi_archive']`

/** Who may do what, and what guards it: the same text before and after. */
const access = `
  select string_agg(line, E'\\n' order by line) as lines from (
    select format('role %s %s %s %s %s', rolname, rolsuper, rolinherit, rolcanlogin, rolreplication) as line
    from pg_roles where rolname !~ '^pg_'
    union all select format('member %s %s', roleid::regrole, member::regrole) from pg_auth_members where roleid >= 16384
    union all select format('policy %s %s %s %s %s %s %s', schemaname, tablename, policyname, roles, cmd, qual, with_check) from pg_policies
    union all select format('table %s %s %s %s %s', c.oid::regclass, relrowsecurity, relforcerowsecurity, relowner::regrole,
                            (select array_agg(a::text order by a::text) from unnest(relacl) a where a::text not like relowner::regrole || '=%'))
    from pg_class c where relkind in ('r', 'p', 'v', 'S') and not relispartition and relnamespace::regnamespace::text = any (${ours})
    union all select format('function %s %s %s', p.oid::regprocedure, prosecdef, (select array_agg(a::text order by a::text) from unnest(proacl) a))
    from pg_proc p where pronamespace::regnamespace::text = any (${ours})
    union all select format('trigger %s %s %s', tgrelid::regclass, tgname, tgenabled) from pg_trigger join pg_class c on c.oid = tgrelid where not tgisinternal and not relispartition and relnamespace::regnamespace::text = any (${ours})
  ) all_lines`

/** Exists when the code of a table's owner ran as a superuser. */
const mark = () => join(home, 'run', 'mark')

let before: { lines: string }[] = []

beforeAll(async () => {
  if (!possible) return
  data = await reachableFolder()
  home = join(data, 'postgres')
  await mkdir(home)
  await chmod(home, 0o711)
  for (const folder of ['data', 'run', 'log']) {
    await mkdir(join(home, folder))
    if (account !== undefined) await chown(join(home, folder), account.uid, account.gid)
  }
  await writeFile(join(home, 'superuser.password'), `${PASSWORD}\n`, { mode: 0o600 })
  const handover = join(home, 'run', 'password')
  await writeFile(handover, PASSWORD, { mode: 0o644 })
  const init = spawnSync(
    join(POSTGRES_15, 'initdb'),
    [
      ...[
        '-D',
        join(home, 'data'),
        '-U',
        'postgres',
        '-A',
        'scram-sha-256',
        '--pwfile',
        handover,
        '-E',
        'UTF8',
      ],
      ...['--locale=C', '--lc-ctype=C.UTF-8', '--data-checksums', '-N'],
    ],
    { ...account, cwd: join(home, 'data'), encoding: 'utf8' },
  )
  expect(init.status, init.stderr).toBe(0)
  await oldServer(async (url, port) => {
    const keyring = await openKeyring(`file:${join(data, 'keys')}`)
    const connections = await prepareCluster({
      server: {
        port,
        socketDir: join(home, 'run'),
        version: '15',
        superuser: { user: 'postgres', password: PASSWORD },
        pid: 0,
        url,
        stop: async () => undefined,
        detach: () => undefined,
        exited: new Promise(() => undefined),
      },
      keyring,
      settings: { appName: 'akashi-test', statementTimeoutMs: 30_000 },
    })
    const sql = (text: string) => ask(connections.adminUrl, text)
    await sql(`create role clerk login password 'clerk-password'`)
    await sql('grant akashi_reader to clerk')
    await sql(`create table public.orders (id bigint generated always as identity primary key, owner text default current_user,
      note text, total numeric(12, 2), doubled numeric generated always as (total * 2) stored, tags text[], raw bytea)`)
    await sql('create index orders_note on public.orders (lower(note)) where total > 10')
    await sql(`select akashi_audit.protect('public.orders')`)
    await sql('alter table public.orders enable row level security')
    await sql('alter table public.orders force row level security')
    await sql(
      'create policy own on public.orders to clerk using (owner = current_user) with check (owner = current_user)',
    )
    await sql('grant select, insert on public.orders to clerk')
    await sql(`insert into public.orders (note, total, tags, raw) select 'order ' || i || E' \\\\ \\t \\n 証', i / 7.0,
      array['a', null, i::text], decode(md5(i::text), 'hex') from generate_series(1, 2000) i`)
    await sql(`insert into public.orders (owner, note, total) values ('clerk', 'mine', 1)`)
    await sql('delete from public.orders where id = 2000')
    // Whoever loads the rows runs the check of the domain, which starts a program where it may.
    await sql(`create role keeper login password 'keeper'; create schema shop authorization keeper`)
    const keeper = new URL(connections.adminUrl)
    keeper.username = 'keeper'
    keeper.password = 'keeper'
    for (const text of [
      `create function shop.spy(integer) returns boolean language plpgsql as $$ begin
         begin
           execute 'reset session authorization';
           copy (select current_user::text) to program 'cat >> ${mark()}';
         exception when others then null; end;
         return true; end $$`,
      'create domain shop.price as integer check (shop.spy(value))',
      `create table shop.goods (id serial primary key, price shop.price, "odd ""name" text default 'x', check (shop.spy(id)))`,
      'insert into shop.goods (price) values (1), (2)',
    ]) {
      await ask(keeper.href, text)
    }
    await sql('create table public.prices (price shop.price)')
    await sql('grant insert on public.prices to keeper')
    await ask(keeper.href, 'insert into public.prices values (3)')
    expect(existsSync(mark())).toBe(false)
    await sql(`create database "other 'one'"`)
    await ask(url(`other 'one'`), 'create table here as select 42 as answer')
    const worker = connections.open('worker', { poolSize: 1 })
    for (const log of logs) await seal(worker, tester, keyring, log)
    await worker.close()
    // Recorded, and not yet sealed when it stopped.
    await sql(`update public.orders set note = 'last' where id = 1`)
    before = (await sql(access)) as { lines: string }[]
    await keyring.close()
  })
}, MINUTES_MS)

afterAll(async () => {
  if (possible) await removeDataDir(data)
})

async function document<T>(args: readonly string[], status = 0): Promise<T> {
  const outcome = await akashi([...args, '--json', '--data', data])
  expect(outcome.status, outcome.stderr + outcome.stdout.slice(0, 2_000)).toBe(status)
  return JSON.parse(outcome.stdout) as T
}

it.runIf(possible)(
  'is refused by up, survives an interrupted attempt, and is copied whole with its ledger',
  async () => {
    const refused = await akashi(['up', '--data', data, '--port', '0'])
    expect(refused.status).not.toBe(0)
    expect(refused.stderr).toContain('akashi upgrade')
    const missing = await akashi(['upgrade', '--data', data, '--binaries', '/nowhere'])
    expect(missing.status).toBe(2)
    expect(missing.stderr).toContain('postgresql-15')

    // Killed while it copies: nothing of the old data is touched, and the next attempt clears up.
    const control = await readFile(join(home, 'data', 'PG_VERSION'), 'utf8')
    const attempt = spawn(join(import.meta.dirname, '../../bin/akashi'), ['upgrade', '--data', data], {
      stdio: 'ignore',
    })
    const killed = once(attempt, 'exit')
    await expect
      .poll(async () => (await readdir(home)).some((name) => name.startsWith('data.upgrading-')), {
        timeout: 60_000,
        interval: 20,
      })
      .toBe(true)
    await sleep(1_000)
    attempt.kill('SIGKILL')
    await killed
    expect(await readFile(join(home, 'data', 'PG_VERSION'), 'utf8')).toBe(control)

    const report = await document<{
      from: string
      to: string
      ok: boolean
      kept: string[]
      databases: { database: string; rows: number }[]
      verify: { ok: boolean; logs: { log: string; checked: number; problems: unknown[] }[] }
    }>(['upgrade'])
    expect(report).toMatchObject({ from: '15', ok: true, kept: [join(home, 'data.old-15')] })
    expect(report.databases.map(({ database }) => database)).toEqual(['akashi', `other 'one'`, 'postgres'])
    const trail = report.verify.logs.find(({ log }) => log === 'audit_logs')
    expect(trail?.problems).toEqual([])
    expect(trail?.checked).toBeGreaterThanOrEqual(2_003)
    expect(await document(['upgrade'])).toMatchObject({ upgraded: false, kept: [join(home, 'data.old-15')] })

    // Killed between its two renames, it leaves the copy beside its place, and no cluster in it.
    const interrupted = async () => {
      await rename(join(home, 'data'), join(home, 'data.upgraded'))
      expect((await readdir(home)).filter((name) => name.startsWith('data')).sort()).toEqual([
        'data.old-15',
        'data.upgraded',
      ])
    }
    await interrupted()
    // The only cluster that is whole stays.
    expect((await akashi(['upgrade', '--remove-old', '--data', data])).status).not.toBe(0)
    expect(await document(['upgrade'])).toMatchObject({ upgraded: false, kept: [join(home, 'data.old-15')] })
    expect(await readdir(home)).toContain('data')
    await interrupted()
    const running = await akashiUp(data)
    try {
      const { url } = await document<{ url: string }>(['url', '--role', 'superuser'])
      expect(
        (await ask<{ v: string }>(url, `select current_setting('server_version_num')::int / 10000 as v`))[0],
      ).toEqual({
        v: 18,
      })
      expect(((await ask(url, access)) as { lines: string }[])[0]?.lines.split('\n')).toEqual(
        before[0]?.lines.split('\n'),
      )
      expect(await ask(url, 'select count(*)::int as rows, max(id)::int as last from public.orders')).toEqual(
        [{ rows: 2_000, last: 2_001 }],
      )
      expect(existsSync(mark())).toBe(false)
      expect(await ask(url, 'select count(*)::int as rows from shop.goods, public.prices')).toEqual([
        { rows: 2 },
      ])
      expect(await ask(url, `select rolname from pg_roles where rolname like 'akashi_load%'`)).toEqual([])
      // Passwords, policies and identity go on as they were.
      const clerk = new URL(url)
      clerk.username = 'clerk'
      clerk.password = 'clerk-password'
      expect(await ask(clerk.href, 'select note from public.orders')).toEqual([{ note: 'mine' }])
      await ask(clerk.href, `insert into public.orders (note) values ('after')`)
      expect(await ask(url, `select id::int from public.orders where note = 'after'`)).toEqual([
        { id: 2_002 },
      ])
      expect(
        await ask(
          url,
          `select count(*)::int as epochs from akashi_audit.ledger_epochs where reason ~ 'from PostgreSQL 15 to 18'`,
        ),
      ).toEqual([{ epochs: trail === undefined ? 0 : expect.any(Number) }])
      expect((await document<{ ok: boolean }>(['verify'])).ok).toBe(true)
      // The old cluster's backups are not this one's: a full one is taken by itself.
      await expect
        .poll(async () => (await akashi(['backup', 'list', '--json', '--data', data])).stdout, {
          timeout: 60_000,
          interval: 1_000,
        })
        .toContain('-full-')
      expect((await akashi(['upgrade', '--data', data])).status).not.toBe(0)
    } finally {
      await running.stop()
    }
    expect(await document(['upgrade', '--remove-old'])).toEqual({ removed: [join(home, 'data.old-15')] })
    expect(await readdir(home)).not.toContain('data.old-15')
  },
  MINUTES_MS,
)
