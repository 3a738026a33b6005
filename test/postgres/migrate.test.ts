import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrateDown, migrateUp, migrationStatus } from '../../src/postgres/index.ts'
import { emptyDatabase } from '../support/index.ts'

const STARTS = 20
const database = emptyDatabase()
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'akashi-migrations-'))
  await database.asSuperuser((session) =>
    session.query(
      'drop schema if exists akashi_lifecycle cascade; drop schema public cascade; create schema public',
    ),
  )
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const options = () => ({ url: database.url('owner'), directory })

async function migration(id: string, up: string, down: string): Promise<void> {
  await writeFile(join(directory, `${id}.up.sql`), up)
  await writeFile(join(directory, `${id}.down.sql`), down)
}

const query = (text: string) => database.asSuperuser(async (session) => (await session.query(text)).rows)
const exists = async (name: string) =>
  (await query(`select to_regclass('${name}') is not null as present`))[0]?.['present']

test('twenty simultaneous starts apply each migration once', async () => {
  await migration('000001_log', 'create table public.log (line text)', 'drop table public.log')
  await migration(
    '000002_first',
    `insert into public.log values ('first'); select pg_sleep(0.2)`,
    'delete from public.log',
  )
  await migration('000003_second', `insert into public.log values ('second')`, 'delete from public.log')
  const runs = await Promise.all(Array.from({ length: STARTS }, () => migrateUp(options())))
  expect(runs.flat().sort()).toEqual(['000001_log', '000002_first', '000003_second'])
  expect(await query('select line from log order by line')).toEqual([{ line: 'first' }, { line: 'second' }])
})

test.each([
  ['EUC_JP', 'C'],
  ['SQL_ASCII', 'C'],
  ['LATIN1', 'C'],
])('refuses a database with the encoding %s', async (encoding, locale) => {
  const name = `other_encoding_${encoding.toLowerCase()}`
  await database.asSuperuser((session) =>
    session.query(`create database ${name} encoding ${encoding} locale '${locale}' template template0`),
  )
  try {
    const url = new URL(database.url('owner'))
    url.pathname = `/${name}`
    await migration('000001_one', 'create table public.one ()', 'drop table public.one')
    await expect(migrateUp({ url: url.href, directory })).rejects.toMatchObject({
      code: 'unsupported',
      message: `the database has the encoding ${encoding}`,
    })
  } finally {
    await database.asSuperuser((session) => session.query(`drop database ${name} with (force)`))
  }
})

test('a failing migration is rolled back, and earlier ones are kept', async () => {
  await migration('000001_good', 'create table public.good ()', 'drop table public.good')
  await migration('000002_bad', 'create table public.bad (); select 1 / 0', 'drop table public.bad')
  await expect(migrateUp(options())).rejects.toMatchObject({
    code: 'invalid_input',
    message: 'migration 000002_bad failed: division by zero',
  })
  expect(await exists('good')).toBe(true)
  expect(await exists('bad')).toBe(false)
  expect((await migrationStatus(options())).pending).toEqual(['000002_bad'])
})

test('refuses when an applied file was changed or is missing', async () => {
  await migration('000001_one', 'create table public.one ()', 'drop table public.one')
  await migration('000002_two', 'create table public.two ()', 'drop table public.two')
  await migrateUp(options())
  await migration('000001_one', 'create table public.other ()', 'drop table public.one')
  const changed = { code: 'integrity', message: 'the applied migration 000001_one was changed afterwards' }
  await expect(migrateUp(options())).rejects.toMatchObject(changed)
  await expect(migrateDown({ ...options(), steps: 1 })).rejects.toMatchObject(changed)
  await rm(join(directory, '000001_one.up.sql'))
  await rm(join(directory, '000001_one.down.sql'))
  await expect(migrateUp(options())).rejects.toMatchObject({ code: 'integrity' })
})

test('refuses a database that is newer than the program, and a file below what is applied', async () => {
  await migration('000001_one', 'create table public.one ()', 'drop table public.one')
  await migration('000003_three', 'create table public.three ()', 'drop table public.three')
  await migrateUp(options())
  await migration('000002_two', 'create table public.two ()', 'drop table public.two')
  await expect(migrateUp(options())).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('000002_two'),
  })
  for (const id of ['000002_two', '000003_three']) {
    await rm(join(directory, `${id}.up.sql`))
    await rm(join(directory, `${id}.down.sql`))
  }
  await expect(migrateUp(options())).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('000003_three'),
  })
})

test('refuses files that are not pairs', async () => {
  await writeFile(join(directory, '000001_one.up.sql'), 'select 1')
  await expect(migrateUp(options())).rejects.toMatchObject({ code: 'invalid_config' })
})

test('notices a migration that ends its own transaction', async () => {
  await migration(
    '000001_commits',
    'create table public.one (); commit; begin; create table public.two ()',
    'drop table public.one',
  )
  await expect(migrateUp(options())).rejects.toMatchObject({ code: 'integrity' })
})

test('waits for its locks only briefly and gets through in the end', async () => {
  await migration('000001_table', 'create table public.busy (id int)', 'drop table public.busy')
  await migrateUp(options())
  await migration(
    '000002_column',
    'alter table public.busy add column name text',
    'alter table public.busy drop column name',
  )
  await database.asSuperuser(async (reader) => {
    await reader.query('begin')
    await reader.query('select * from busy')
    const migrating = migrateUp(options())
    // While the migration waits behind the reader, others wait behind it: none of them for long.
    await database.asSuperuser(async (other) => {
      await other.query(`set statement_timeout = '5s'`)
      for (let read = 0; read < 50; read += 1) {
        await other.query('select * from busy')
      }
    })
    await reader.query('commit')
    expect(await migrating).toEqual(['000002_column'])
  })
})

test('builds an index outside of a transaction', async () => {
  await migration('000001_table', 'create table public.big (id int, name text)', 'drop table public.big')
  await migration(
    '000002_indexes',
    '-- no-transaction\ncreate index concurrently a on public.big (id);\n-- statement-breakpoint\ncreate index concurrently b on public.big (name);',
    '-- no-transaction\ndrop index concurrently public.a;\n-- statement-breakpoint\ndrop index concurrently public.b;',
  )
  await migrateUp(options())
  expect([await exists('a'), await exists('b')]).toEqual([true, true])
  await migrateDown({ ...options(), steps: 1 })
  expect([await exists('a'), await exists('b'), await exists('big')]).toEqual([false, false, true])
})

test('refuses statements outside of a transaction that could lose rows', async () => {
  await migration('000001_drop', '-- no-transaction\ndrop table if exists public.big', 'select 1')
  await expect(migrateUp(options())).rejects.toMatchObject({ code: 'invalid_config' })
})

test('going down refuses to discard rows, also of partitions and hidden ones', async () => {
  await migration(
    '000001_tables',
    `create table public.empty (id int);
     create table public.full_one (id int); insert into public.full_one values (1);
     create table public.parent (id int) partition by range (id);
     create table public.child partition of public.parent for values from (0) to (10); insert into public.parent values (1);
     create table public.hidden (id int); insert into public.hidden values (1);
     alter table public.hidden enable row level security; alter table public.hidden force row level security`,
    'drop table public.empty, public.full_one, public.parent, public.hidden',
  )
  await migrateUp(options())
  await expect(migrateDown({ ...options(), steps: 1 })).rejects.toMatchObject({
    code: 'conflict',
    hint: expect.stringContaining('--destroy'),
    message: expect.stringMatching(/public\.full_one.*public\.hidden|public\.hidden.*public\.full_one/),
  })
  await expect(migrateDown({ ...options(), steps: 1 })).rejects.toThrow(/public\.child/)
  expect(await query('select count(*)::int as rows from parent')).toEqual([{ rows: 1 }])
  expect((await migrationStatus(options())).pending).toEqual([])
  expect(await migrateDown({ ...options(), steps: 1, destroy: true })).toEqual(['000001_tables'])
  expect(await exists('parent')).toBe(false)
})

test('going down does not count rows that the migration declares disposable', async () => {
  await migration(
    '000001_settings',
    `create table public.settings (id int); insert into public.settings values (1);
     create table public.parent (id int) partition by range (id);
     create table public.child partition of public.parent for values from (0) to (10); insert into public.parent values (1)`,
    '-- Lookup rows.\n-- disposable: public.settings, public.parent\ndrop table public.settings, public.parent',
  )
  await migrateUp(options())
  expect(await migrateDown({ ...options(), steps: 5 })).toEqual(['000001_settings'])
})
