/** What the login of an application may do to Akashi itself: use contexts, record, and read what is its own. */
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { shopDatabase } from './database.ts'

const shop = shopDatabase()
let client: pg.Client

beforeAll(async () => {
  client = new pg.Client({ connectionString: shop.appUrl })
  await client.connect()
})
afterAll(() => client.end())

/** Of Akashi's schemas. */
async function named(text: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(text)
  return rows.map(({ name }) => name)
}

it('reads the trail, through policies that show its own rows, and has no right on another relation', async () => {
  expect(
    await named(`
      select format('%s %s', lower(privilege), c.oid::regclass) as name
      from pg_class c cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege
      where c.relnamespace::regnamespace::text like 'akashi%' and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and (has_table_privilege(c.oid, privilege)
          or privilege in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') and has_any_column_privilege(c.oid, privilege))
      order by 1`),
  ).toEqual(['select akashi_audit.audit_logs'])
  expect(
    await named(`
      select c.oid::regclass::text as name from pg_class c
      where c.relnamespace::regnamespace::text like 'akashi%'
        and case c.relkind when 'S' then has_sequence_privilege(c.oid, 'USAGE, SELECT, UPDATE') end`),
  ).toEqual([])
})

it('calls the functions of contexts and of recording, and no other', async () => {
  expect(
    await named(`
      select distinct p.oid::regproc::text as name from pg_proc p
      where p.pronamespace::regnamespace::text like 'akashi%' and has_function_privilege(p.oid, 'EXECUTE')
        and has_schema_privilege(p.pronamespace, 'USAGE') order by 1`),
  ).toEqual([
    'akashi_audit.history_tables',
    'akashi_audit.record_access',
    'akashi_audit.record_action',
    'akashi_auth.accept_context',
    'akashi_auth.context_application',
    'akashi_auth.context_audience',
    'akashi_auth.context_user',
    'akashi_auth.context_verified',
    'akashi_auth.current_session_id',
    'akashi_auth.current_user_id',
    'akashi_auth.set_context',
    'akashi_auth.try_inet',
    'akashi_auth.try_name',
    'akashi_auth.try_uuid',
    'akashi_security.record_event',
  ])
})

it('creates nothing in Akashi’s schemas and belongs to no role but that of applications', async () => {
  expect(
    await named(`
      select nspname as name from pg_namespace
      where nspname like 'akashi%' and has_schema_privilege(oid, 'CREATE') order by 1`),
  ).toEqual([])
  expect(
    await named(`
      select rolname as name from pg_roles
      where rolname <> current_user and pg_has_role(oid, 'MEMBER') order by 1`),
  ).toEqual(['akashi_client'])
})

it.each([
  'akashi_auth.users',
  'akashi_auth.mfa_factors',
  'akashi_auth.passkeys',
  'akashi_auth.recovery_codes',
  'akashi_auth.user_sessions',
  'akashi_lifecycle.saved_queries',
  'akashi_lifecycle.settings',
  'akashi_audit.ledger_entries',
  'akashi_chat.messages',
])('neither reads nor locks %s', async (table) => {
  for (const statement of [
    `select * from ${table}`,
    `select count(*) from ${table}`,
    `lock table ${table} in access share mode`,
    `lock table ${table} in access exclusive mode`,
  ]) {
    await client.query('begin')
    await expect(client.query(statement), statement).rejects.toMatchObject({ code: '42501' })
    await client.query('rollback')
  }
})

it('does not hold up the trail by locking it', async () => {
  for (const mode of ['row exclusive', 'share', 'share row exclusive', 'exclusive', 'access exclusive']) {
    await client.query('begin')
    await expect(
      client.query(`lock table akashi_audit.audit_logs in ${mode} mode nowait`),
    ).rejects.toMatchObject({
      code: '42501',
    })
    await client.query('rollback')
  }
})
