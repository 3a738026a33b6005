import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { type LogDefinition, logs, postgresEntrySql } from '../../src/audit/index.ts'
import { type Database, migrateUp, openDatabase, type Session } from '../../src/postgres/index.ts'
import {
  emptyDatabase,
  MIGRATIONS,
  POSTGRES_15,
  startLocalServer,
  type ThrowawayServer,
  testDatabase,
} from '../support/index.ts'

const database = testDatabase()
const copy = emptyDatabase()

const withPostgres15 = process.env['CI'] === 'true' || existsSync(POSTGRES_15)

/** Everything that text output depends on, one at a time and to extremes. */
const settings: readonly string[] = [
  ...['Asia/Tokyo', 'America/St_Johns', 'Pacific/Apia', 'Europe/Dublin', '<-99>99'].map(
    (zone) => `set timezone = '${zone}'`,
  ),
  ...['ISO, DMY', 'SQL, MDY', 'SQL, DMY', 'German', 'Postgres, YMD'].map(
    (style) => `set datestyle = '${style}'`,
  ),
  ...['sql_standard', 'postgres', 'postgres_verbose', 'iso_8601'].map(
    (style) => `set intervalstyle = '${style}'`,
  ),
  "set bytea_output = 'escape'",
  ...[-15, 0, 3].map((digits) => `set extra_float_digits = ${digits}`),
  ...['lc_monetary', 'lc_numeric', 'lc_time'].flatMap((name) => [
    `set ${name} = 'C'`,
    `set ${name} = 'C.UTF-8'`,
  ]),
  'set quote_all_identifiers = on',
  'set xmlbinary = hex',
  'set standard_conforming_strings = off',
  'set array_nulls = off',
  'set jit = on; set jit_above_cost = 0',
  'set client_encoding = LATIN1',
  'set search_path = pg_temp, public; create temp table audit_logs (x int); create function pg_temp.sha256(bytea) returns bytea language sql as $$ select $1 $$',
  'create schema evil; create function evil.octet_length(text) returns int language sql as $$ select 0 $$; set search_path = evil, public',
]

type Hashes = Readonly<Record<string, readonly string[]>>

async function hashesOf(session: Session, log: LogDefinition): Promise<string[]> {
  const entry = postgresEntrySql(log)
  const { rows } = await session.query<{ hash: string }>(
    `select encode(${entry.hash}, 'hex') as hash from (select r.id, ${entry.texts} from ${log.schema}.${log.table} r offset 0) t order by id`,
  )
  return rows.map(({ hash }) => hash)
}

async function allHashes(session: Session): Promise<Hashes> {
  const found: Record<string, string[]> = {}
  for (const log of logs) found[log.log] = await hashesOf(session, log)
  return found
}

let original: Hashes = {}

beforeAll(async () => {
  await database.asSuperuser(async (session) => {
    await session.query(`create table types (id int primary key, n numeric, f float8, t timestamptz, i interval, b bytea, m money, a text[], r tstzrange, j jsonb, x text);
      select akashi_audit.protect('types', 'restricted', 'id', '{"x": "digest"}');
      insert into types values
        (1, 1.500, 0.1::float8 + 0.2, '2026-03-29 01:30+00', '1 mon -2 days 03:04:05.6', '\\x00ff', 1234.5, '{a,null,"b c"}', '[2026-01-01,infinity)', '{"z": 1.10, "a": [1e400, -0.0, "ü\\u0001"]}', 'x'),
        (2, 'NaN', 'NaN', 'infinity', '-1 year', '', -0.01, '{}', 'empty', '"\\u2028"', null),
        (3, 1e-20, '-Infinity', '0044-03-15 BC', '0', null, null, null, null, 'null', '日本語 🙂');
      update types set n = n + 1, f = -f, t = t - interval '1 microsecond' where id in (1, 3); delete from types where id = 2`)
    await session.query(
      "select akashi_audit.record_action('exported', 'export', E'back\\\\slash\\ttab', 'id', 'FAILURE', '{\"deep\": {\"n\": 100000000000000000000.000001}}', error_message => E'line\\nbreak')",
    )
    await session.query(
      `insert into akashi_security.security_events (event_type, event_category, severity, source_service, source_ip, event_details, created_at)
       select 't', 'network', 'info', 's', ip::inet, '{"n": 1.0}', now() from unnest(array['10.0.0.0/8', '::ffff:1.2.3.4', '2001:db8::/32', '1.2.3.4']) ip`,
    )
    original = await allHashes(session)
  })
  expect(original['audit_logs']?.length).toBeGreaterThan(6)
  expect(original['security_events']?.length).toBeGreaterThan(3)
})

describe('an entry hash does not change', () => {
  it.each(settings)('under %s', async (setting) => {
    await database.asSuperuser(async (session) => {
      await session.query(`begin; ${setting}`)
      expect(await allHashes(session)).toEqual(original)
      await session.query('rollback')
    })
  })

  it('when columns are added to the record', async () => {
    await database.asSuperuser(async (session) => {
      await session.query(
        'begin; alter table akashi_audit.audit_logs add column aaa text, add column zzz jsonb; alter table akashi_security.security_events add column mmm int',
      )
      expect(await allHashes(session)).toEqual(original)
      const wider = logs.map((log) => ({
        ...log,
        columns: {
          ...log.columns,
          ...(log.log === 'audit_logs' ? { aaa: 'text', zzz: 'json' } : {}),
          ...(log.log === 'security_events' ? { mmm: 'integer' } : {}),
        },
      }))
      for (const log of wider as LogDefinition[])
        expect(await hashesOf(session, log)).toEqual(original[log.log])
      await session.query('rollback')
    })
  })

  it.each(['text', 'csv', 'binary'])('in another database, taken there by COPY as %s', async (format) => {
    if (format === 'text') await migrateUp({ url: copy.url('owner'), directory: MIGRATIONS })
    await copyTo(copy.open('owner'), format)
  })

  it.skipIf(!withPostgres15)(
    'on PostgreSQL 15, and after its pg_dump (skipped where it is not installed)',
    { timeout: 120_000 },
    async () => {
      const server = await startLocalServer(POSTGRES_15)
      try {
        await onPostgres15(server)
      } finally {
        await server.stop()
      }
    },
  )
})

/** Empties the record there, fills it from here, and compares. */
async function copyTo(target: Database, format: string): Promise<void> {
  await target.direct(async (there) => {
    await there.query('begin')
    for (const log of logs) {
      const table = `${log.schema}.${log.table}`
      const columns = Object.keys(log.columns).join(', ')
      for (const trigger of await guards(there, log)) {
        await there.query(`alter table ${trigger} disable trigger refuse_change`)
      }
      await there.query(`truncate ${table}`)
      await database.asSuperuser((here) =>
        pipeline(
          here.copyTo(`copy (select ${columns} from ${table}) to stdout (format ${format})`),
          there.copyFrom(`copy ${table} (${columns}) from stdin (format ${format})`),
        ),
      )
    }
    expect(await allHashes(there)).toEqual(original)
    await there.query(format === 'text' ? 'commit' : 'rollback')
  })
}

async function guards(session: Session, log: LogDefinition): Promise<string[]> {
  const { rows } = await session.query<{ name: string }>(
    `select relid::regclass::text as name from pg_partition_tree('${log.schema}.${log.table}')`,
  )
  return rows.map(({ name }) => name)
}

async function onPostgres15(server: ThrowawayServer): Promise<void> {
  const url = server.url('postgres')
  await migrateUp({ url, directory: MIGRATIONS })
  const fifteen = openDatabase({ url, role: 'owner' })
  const restored = openDatabase({ url: server.url('restored'), role: 'owner' })
  try {
    await copyTo(fifteen, 'text')
    await fifteen.direct((session) => session.query('create database restored'))
    const dump = spawnSync(join(POSTGRES_15, 'pg_dump'), ['--dbname', url], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    })
    expect(dump.stderr).toBe('')
    const restore = spawnSync(
      join(POSTGRES_15, 'psql'),
      ['--quiet', '--set', 'ON_ERROR_STOP=1', '--dbname', server.url('restored')],
      { encoding: 'utf8', input: dump.stdout },
    )
    expect(restore.stderr).toBe('')
    await restored.direct(async (session) => expect(await allHashes(session)).toEqual(original))
  } finally {
    await restored.close()
    await fifteen.close()
  }
}
