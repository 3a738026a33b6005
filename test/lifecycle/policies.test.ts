import { readdir, readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { testDatabase } from '../support/index.ts'
import { MIGRATIONS } from '../support/settings.ts'

const database = testDatabase()

function ask(statement: string): Promise<Record<string, unknown>[]> {
  return database.asSuperuser((session) => session.query(statement)).then(({ rows }) => rows)
}

it('the audit trail is cut by month three ahead, security events by day for 90 days', async () => {
  const rows = await ask(
    `select format('%s.%s', schema_name, table_name) as name, interval, premake, hot_retention::text as hot,
            at_expiry, total_retention::text as total
     from akashi_lifecycle.policies where table_name in ('audit_logs', 'security_events') order by 1`,
  )
  expect(rows).toEqual([
    {
      name: 'akashi_audit.audit_logs',
      interval: 'month',
      premake: 3,
      hot: 'P2Y',
      at_expiry: 'archive',
      total: 'P2555D',
    },
    {
      name: 'akashi_security.security_events',
      interval: 'day',
      premake: 30,
      hot: 'P90D',
      at_expiry: 'archive',
      total: 'P2555D',
    },
  ])
})

it('partitions exist after the migrations', async () => {
  const rows = await ask(
    `select c.relname as name, to_char(now() at time zone 'UTC' + interval '3 months', '"audit_logs_"YYYY_MM') as last
     from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'akashi_audit.audit_logs'::regclass order by 1`,
  )
  expect(rows).toHaveLength(4)
  expect(rows.at(-1)?.['name']).toBe(rows.at(-1)?.['last'])
})

it('settings are rows, with the numbers of the sources', async () => {
  const rows = await ask(
    `select key, value from akashi_lifecycle.settings where key like '%retention_days' order by key`,
  )
  expect(rows).toEqual([
    { key: 'backup.retention_days', value: 30 },
    { key: 'deleted_messages.retention_days', value: 365 },
    { key: 'session.retention_days', value: 30 },
    { key: 'temporary_data.retention_days', value: 7 },
  ])
})

it('no index repeats the beginning of another', async () => {
  const rows = await ask(
    `select a.indexrelid::regclass::text as needless, b.indexrelid::regclass::text as beside
     from pg_index a join pg_index b on b.indrelid = a.indrelid and b.indexrelid <> a.indexrelid
     join pg_class ca on ca.oid = a.indexrelid join pg_class cb on cb.oid = b.indexrelid and cb.relam = ca.relam
     join pg_class t on t.oid = a.indrelid join pg_namespace n on n.oid = t.relnamespace
     where n.nspname in ('akashi_auth', 'akashi_chat', 'akashi_audit', 'akashi_security', 'akashi_lifecycle', 'akashi_keys') and not t.relispartition
       and not a.indisunique and a.indpred is null and b.indpred is null and a.indexprs is null and b.indexprs is null
       and starts_with(b.indkey::text || ' ', a.indkey::text || ' ')
       and starts_with(b.indoption::text || ' ', a.indoption::text || ' ')`,
  )
  expect(rows).toEqual([])
})

it('no extension is needed that the sources ask for and PostgreSQL or the worker replaces', async () => {
  const rows = await ask('select extname as name from pg_extension order by 1')
  for (const name of [
    'uuid-ossp',
    'pg_trgm',
    'pgcrypto',
    'postgres_fdw',
    'pg_partman',
    'pg_cron',
    'aws_s3',
  ]) {
    expect(rows).not.toContainEqual({ name })
  }
})

it('the schema of detached partitions has a comment', async () => {
  const [row] = await ask(`select obj_description('akashi_archive'::regnamespace) as comment`)
  expect(row?.['comment']).toMatch(/^Detached partitions/)
})

it('the roles stand as the sources name their purposes, and no password comes from a migration', async () => {
  const rows = await ask(
    `select rolname as name, rolcanlogin as login from pg_roles where rolname like 'akashi\\_%' order by 1`,
  )
  expect(Object.fromEntries(rows.map((row) => [row['name'], row['login']]))).toMatchObject({
    akashi_app: true,
    akashi_backup: true,
    akashi_owner: false,
    akashi_policy: false,
    akashi_reader: true,
    akashi_security_admin: true,
    akashi_worker: true,
  })
  for (const name of await readdir(MIGRATIONS)) {
    expect(await readFile(`${MIGRATIONS}/${name}`, 'utf8'), name).not.toMatch(/\bpassword\s+'/i)
  }
})
