import { describe, expect, it } from 'vitest'
import type { DatabaseRole } from '../../src/postgres/index.ts'
import { testDatabase } from '../support/index.ts'

/**
 * Who may do what with each table: S select, I insert, U update, D delete by grant. A partition has no
 * grant at all. Row-level policies narrow it further; those that matter have tests of their own.
 */
const access: Readonly<Record<string, Partial<Record<Exclude<DatabaseRole, 'owner'>, string>>>> = {
  'audit.audit_logs': { app: 'S', worker: 'S', security_admin: 'S' },
  'audit.exempt_tables': { app: 'S', worker: 'S', security_admin: 'S' },
  'audit.ledger_checkpoints': { app: 'S', worker: 'SI', security_admin: 'S', reader: 'S' },
  'audit.ledger_entries': { app: 'S', worker: 'SI', security_admin: 'S', reader: 'S' },
  'audit.ledger_heads': { app: 'S', worker: 'SIU', security_admin: 'S', reader: 'S' },
  'audit.ledger_tiles': { app: 'S', worker: 'SIU', security_admin: 'S', reader: 'S' },
  'audit.protected_tables': { app: 'S', worker: 'S', security_admin: 'S' },
  'audit.verifications': { app: 'S', worker: 'SI', security_admin: 'S' },
  'audit.witnesses': { worker: 'S', security_admin: 'S' },
  'auth.context_keys': {},
  'auth.users': { app: 'S', worker: 'S', security_admin: 'S' },
  'chat.file_uploads': { app: 'S', worker: 'S', security_admin: 'S' },
  'chat.message_edits': { app: 'S' },
  'chat.message_reactions': { app: 'S' },
  'chat.messages': { app: 'S' },
  'chat.notifications': { app: 'S', worker: 'S' },
  'chat.read_positions': { app: 'S' },
  'chat.room_events': { app: 'S', worker: 'S' },
  'chat.room_invitations': { app: 'S', security_admin: 'S' },
  'chat.room_members': { app: 'S', worker: 'S', security_admin: 'S' },
  'chat.room_sequences': { app: 'S', worker: 'S' },
  'chat.rooms': { app: 'S', worker: 'S', security_admin: 'S' },
  'chat.user_preferences': { app: 'S' },
  'keys.digest_salts': {},
  'lifecycle.exports': { worker: 'S', security_admin: 'S', reader: 'S' },
  'lifecycle.job_runs': { worker: 'S', security_admin: 'S', reader: 'S' },
  'lifecycle.jobs': { worker: 'S', security_admin: 'S', reader: 'S' },
  'lifecycle.policies': { app: 'S', worker: 'S', security_admin: 'S', reader: 'S' },
  'lifecycle.schema_migrations': {},
  'lifecycle.settings': { app: 'S', worker: 'S', security_admin: 'S', reader: 'S' },
  'security.ingest_batches': { worker: 'SI', security_admin: 'S' },
  'security.security_events': { app: 'SI', worker: 'SI', security_admin: 'S' },
}

/** The runner's own table, made before there are roles: only administrators reach it. */
const withoutRowSecurity = ['lifecycle.schema_migrations']

const roles = ['app', 'worker', 'reader', 'security_admin', 'backup'] as const
const commands = { S: 'SELECT', I: 'INSERT', U: 'UPDATE', D: 'DELETE', T: 'TRUNCATE' } as const
const ours = "('audit', 'auth', 'chat', 'keys', 'lifecycle', 'security', 'archive')"

const database = testDatabase()

function ask<R>(text: string): Promise<R[]> {
  return database.asSuperuser(async (session) => (await session.query<R>(text)).rows)
}

describe('the access matrix', () => {
  it('names every table', async () => {
    const rows = await ask<{ name: string }>(
      `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ${ours} and c.relkind in ('r', 'p') and not c.relispartition order by 1`,
    )
    expect(rows.map(({ name }) => name)).toEqual(Object.keys(access).sort())
  })

  it.each(Object.entries(access))('holds for %s', async (table, granted) => {
    for (const role of roles) {
      const [row] = await ask<Record<string, boolean>>(
        `select ${Object.entries(commands)
          .map(
            ([letter, command]) =>
              `has_table_privilege('akashi_${role}', '${table}', '${command}') as "${letter}"`,
          )
          .join(', ')}`,
      )
      const found = Object.keys(commands).filter((letter) => row?.[letter] === true)
      expect(found.join(''), role).toBe(granted[role] ?? '')
    }
  })

  it('gives no role anything on a partition', async () => {
    const rows = await ask<{ partition: string; role: string }>(
      `select c.oid::regclass::text as partition, r.rolname as role from pg_class c join pg_namespace n on n.oid = c.relnamespace
       cross join unnest(array[${roles.map((role) => `'akashi_${role}'`).join(', ')}]) as r (rolname)
       where n.nspname in ${ours} and c.relispartition
         and has_table_privilege(r.rolname, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')`,
    )
    expect(rows).toEqual([])
  })

  it('lets a user change only the columns that are theirs', async () => {
    const rows = await ask<{ name: string }>(
      `select attname as name from pg_attribute where attrelid = 'auth.users'::regclass and attnum > 0 and not attisdropped
         and has_column_privilege('akashi_app', attrelid, attnum, 'UPDATE') order by 1`,
    )
    expect(rows.map(({ name }) => name)).toEqual(['avatar_url', 'display_name', 'username'])
  })
})

describe('the rules of the schema', () => {
  it('force row security on every table and partition', async () => {
    const rows = await ask<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ${ours} and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)`,
    )
    expect(rows.map(({ name }) => name)).toEqual(withoutRowSecurity)
  })

  it('let no login role own a table or function, bypass row security or administer', async () => {
    const rows = await ask<{ role: string }>(
      `select rolname as role from pg_roles r where rolname like 'akashi\\_%' and (
         rolsuper or rolbypassrls or rolcreaterole or rolcreatedb
         or (rolcanlogin and (exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relowner = r.oid and n.nspname in ${ours})
           or exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.proowner = r.oid and n.nspname in ${ours}))))`,
    )
    expect(rows).toEqual([])
  })

  it('pin the search_path of every function that runs as its definer', async () => {
    const rows = await ask<{ name: string }>(
      `select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where n.nspname in ${ours} and p.prosecdef and not coalesce(p.proconfig, '{}') && array['search_path=""', 'search_path=']`,
    )
    expect(rows).toEqual([])
  })

  it('let nobody call a function that is not granted to them', async () => {
    const rows = await ask<{ name: string }>(
      `select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
       where n.nspname in ${ours} and a.grantee = 0 and a.privilege_type = 'EXECUTE'`,
    )
    expect(rows).toEqual([])
  })

  it('wrap every call that a policy makes, so that it runs once a statement', async () => {
    const rows = await ask<{ policy: string; text: string }>(
      `select polrelid::regclass || '.' || polname as policy, coalesce(pg_get_expr(polqual, polrelid), '') || coalesce(pg_get_expr(polwithcheck, polrelid), '') as text
       from pg_policy where coalesce(pg_get_expr(polqual, polrelid), '') || coalesce(pg_get_expr(polwithcheck, polrelid), '') like '%(%'`,
    )
    expect(rows.length).toBeGreaterThan(0)
    for (const { policy, text } of rows) {
      const bare = text.replaceAll(/\( SELECT [a-z_.]+\(\) AS [a-z_]+\)/g, '')
      expect(bare, policy).not.toMatch(/[a-z_]\(/)
    }
  })
})
