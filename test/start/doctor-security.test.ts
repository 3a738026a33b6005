/** What doctor says of the security of a database, and that nothing is counted twice. */
import { randomBytes } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import type { SslMode } from '../../src/postgres/index.ts'
import { judgeAlarms } from '../../src/start/doctor/alarms.ts'
import { judgeLogins, judgePasswords, type LoginFacts } from '../../src/start/doctor/security/logins.ts'
import { judgeRowSecurity } from '../../src/start/doctor/security/row-security.ts'
import { judgeSettings } from '../../src/start/doctor/security/server-settings.ts'
import { isLoopback, judgeTransport } from '../../src/start/doctor/security/transport.ts'
import { akashi } from '../cli/world.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()
const application = `shop_${randomBytes(4).toString('hex')}`
const ask = (text: string) => database.asSuperuser((session) => session.query(text))

afterAll(() => ask(`drop owned by ${application}; drop role ${application}`))

test('other machines need TLS, and a server whose certificate is verified', () => {
  const at = (mode: SslMode, host = 'db.example') => ({
    addresses: [{ host, mode }],
    serverOffers: true,
    rules: [],
  })
  const safe = at('verify-full')
  const here = { ...at('disable', '127.0.0.1'), serverOffers: false }
  expect(judgeTransport(safe)).toMatchObject({ ok: true })
  for (const mode of ['verify-ca', 'require'] as const) {
    const found = judgeTransport(at(mode))
    expect(found, mode).toMatchObject({ ok: false, hint: expect.stringContaining('verify-full') })
  }
  expect(judgeTransport(at('disable')).hint).toContain('sslrootcert')
  expect(judgeTransport({ ...at('disable'), serverOffers: false }).hint).toContain('ssl = on')
  expect(judgeTransport(here)).toMatchObject({ ok: true })
  // The pooler is here, the server is not.
  const both = [...here.addresses, ...at('require').addresses]
  expect(judgeTransport({ ...safe, addresses: both })).toMatchObject({ ok: false })
  const rule = { line: 7, type: 'host', address: '10.0.0.0', method: 'scram-sha-256' }
  const open = judgeTransport({ ...here, rules: [rule] })
  expect(open).toMatchObject({ ok: false, hint: expect.stringContaining('hostssl') })
  expect(open.detail).toContain('line 7')
  expect(judgeTransport({ ...safe, rules: [{ ...rule, type: 'hostssl' }] })).toMatchObject({ ok: true })
  expect(judgeTransport({ ...safe, rules: [{ ...rule, method: 'reject' }] })).toMatchObject({ ok: true })
  expect(['', '/run/postgresql', 'localhost', '127.0.0.1', '::1'].every(isLoopback)).toBe(true)
  expect(['10.0.0.1', '0.0.0.0', '127.example', 'localhost.example'].some(isLoopback)).toBe(false)
})

test('logins with more rights than they need are named with the statement that takes them away', () => {
  const plain: LoginFacts = {
    name: 'shop',
    rights: [],
    ownsAkashi: false,
    ofApplication: true,
    administrator: false,
  }
  const strong = { ...plain, rights: ['superuser', 'bypassrls'] }
  expect(
    judgeLogins([plain, { ...strong, name: 'postgres', ofApplication: false, administrator: true }]),
  ).toMatchObject({
    ok: true,
  })
  expect(judgeLogins([strong])).toMatchObject({ ok: false, hint: 'alter role shop nosuperuser nobypassrls' })
  expect(judgeLogins([{ ...strong, name: 'akashi_app', ofApplication: false }])).toMatchObject({ ok: false })
  expect(judgeLogins([{ ...strong, administrator: true }]).hint).toContain('its own login')
  expect(judgeLogins([{ ...plain, ownsAkashi: true }]).hint).toBe(
    'revoke akashi_owner, akashi_policy from shop',
  )
  expect(judgeLogins([{ ...plain, ownsAkashi: true, ofApplication: false, administrator: true }]).ok).toBe(
    true,
  )
})

test('passwords that are kept or asked for weakly', () => {
  const good = { encryption: 'scram-sha-256', md5: [], rules: [] }
  expect(judgePasswords(good).ok).toBe(true)
  expect(judgePasswords({ ...good, md5: null, rules: null }).detail).toContain('may not read')
  expect(judgePasswords({ ...good, encryption: 'md5' }).hint).toContain('scram-sha-256')
  expect(judgePasswords({ ...good, md5: ['shop'] }).detail).toContain('shop')
  const trust = { line: 3, type: 'local', address: '', method: 'trust' }
  expect(judgePasswords({ ...good, rules: [trust] }).detail).toContain('line 3 (local trust)')
})

test('settings that weaken the database, also as the default of a role', () => {
  expect(judgeSettings({ values: { fsync: 'on', log_statement: 'ddl' }, defaults: [] }).ok).toBe(true)
  const found = judgeSettings({
    values: { fsync: 'off', log_statement: 'all' },
    defaults: [
      { of: 'role shop', name: 'session_replication_role', value: 'replica' },
      { of: 'role shop', name: 'work_mem', value: '1GB' },
    ],
  })
  expect(found.hint).toBe(
    'alter system set fsync = on; select pg_reload_conf(); alter system set log_statement = ddl; select pg_reload_conf(); alter role shop reset session_replication_role',
  )
})

test('tables that row-level security does not bind', () => {
  const table = { name: 'akashi_auth.users', own: true, enabled: true, forced: true }
  expect(judgeRowSecurity([table, { ...table, name: 'public.a', own: false, forced: false }]).ok).toBe(true)
  expect(judgeRowSecurity([{ ...table, forced: false }]).hint).toContain('force row level security')
  expect(judgeRowSecurity([{ ...table, own: false, enabled: false }]).hint).toBe(
    'alter table akashi_auth.users enable row level security',
  )
})

test('an alarm of what another check found wrong is not counted again', () => {
  const alarm = { condition: 'disk', subject: '', severity: 'high', detail: '90 %', silenced: false } as const
  expect(judgeAlarms([alarm], new Set(['disk']))).toEqual({
    ok: true,
    detail: 'open, and already counted above: disk',
  })
  expect(judgeAlarms([alarm], new Set())).toMatchObject({ ok: false })
  expect(judgeAlarms([alarm, { ...alarm, condition: 'key_age' }], new Set(['disk'])).detail).not.toContain(
    'disk',
  )
  expect(judgeAlarms([{ ...alarm, silenced: true }], new Set()).ok).toBe(true)
})

test('doctor finds what is weak in a database, and says how to fix each', async () => {
  await ask(
    `create role ${application} login createrole bypassrls password 'p';
     create table public.bills (id integer primary key);
     create policy bills_all on public.bills using (true);
     select akashi_audit.protect('public.bills');
     alter table public.bills owner to ${application};
     alter table akashi_lifecycle.alarms no force row level security;
     alter role ${application} set session_replication_role = replica`,
  )
  const { stdout } = await akashi(['doctor', '--json'], {
    world: { directory: '/nonexistent', environment: { DATABASE_URL: database.url('owner') } },
  })
  const { checks } = JSON.parse(stdout) as {
    checks: { name: string; area: string; ok: boolean; detail: string; hint: string }[]
  }
  const security = new Map(checks.filter(({ area }) => area === 'security').map((each) => [each.name, each]))
  expect([...security.keys()]).toEqual([
    'TLS of the database',
    'HTTPS',
    'logins',
    'passwords of logins',
    'row-level security',
    'settings of the server',
  ])
  expect(security.get('logins')).toMatchObject({
    ok: false,
    hint: expect.stringContaining(`alter role ${application} nocreaterole nobypassrls`),
  })
  expect(security.get('row-level security')?.detail).toBe(
    'row-level security does not apply to everybody on akashi_lifecycle.alarms, public.bills',
  )
  expect(security.get('settings of the server')?.hint).toContain(
    `alter role ${application} reset session_replication_role`,
  )
  expect(JSON.stringify(checks)).not.toContain('not checked')
})
