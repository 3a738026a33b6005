import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseTarget, restoreTable, runBackup, type TableRestored } from '../../src/backup/index.ts'
import { parseTableName } from '../../src/foundation/index.ts'
import { tester } from '../support/tester.ts'
import { type RunningStream, startCluster, type TestCluster } from './support/cluster.ts'
import { toldSchema } from './support/told-schema.ts'

/** A table of somebody without rights, who put their code wherever a table has room for it. */
const keepersTable = `
  create role keeper; create schema shop authorization keeper; set role keeper;
  grant usage on schema shop to public;
  create table shop.seen (what text, super boolean); grant insert on shop.seen to public;
  create function shop.spy(what text) returns boolean language plpgsql as $$ begin
    insert into shop.seen select what, bool_or(rolsuper) from pg_roles where rolname in (current_user, session_user);
    return true; exception when read_only_sql_transaction then return true; end $$;
  create domain shop.price as numeric check (shop.spy('domain'));
  create type shop.mood as enum ('glad', 'sad');
  create function shop.mood_json(shop.mood) returns json language plpgsql as $$ begin perform shop.spy('json'); return '1'; end $$;
  create cast (shop.mood as json) with function shop.mood_json(shop.mood);
  create function shop.mood_text(shop.mood) returns text language plpgsql as $$ begin perform shop.spy('text'); return 'x'; end $$;
  create cast (shop.mood as text) with function shop.mood_text(shop.mood);
  create function shop.same(shop.mood, shop.mood) returns boolean language plpgsql as $$ begin return shop.spy('='); end $$;
  create operator shop.= (leftarg = shop.mood, rightarg = shop.mood, function = shop.same);
  create function shop.of_id(int) returns int language plpgsql immutable as $$ begin perform shop.spy('index'); return $1; end $$;
  create table shop.goods (id int primary key, price shop.price, mood shop.mood, check (shop.spy('check')));
  create index on shop.goods (shop.of_id(id));
  create function shop.goods_text(shop.goods) returns text language plpgsql as $$ begin perform shop.spy('row'); return 'x'; end $$;
  create cast (shop.goods as text) with function shop.goods_text(shop.goods);
  create function shop.on_row() returns trigger language plpgsql as $$ begin perform shop.spy('trigger'); return new; end $$;
  create trigger t before insert or update on shop.goods for each row execute function shop.on_row();
  alter table shop.goods enable always trigger t;
  insert into shop.goods values (1, 1, 'glad'), (2, 2, 'sad'), (3, 3, 'glad');
  reset role; truncate shop.seen`

let cluster: TestCluster
let stream: RunningStream
let place: string
/** Bytes of the full backup, and of the one table that is most of it. */
let whole = 0
let large = 0

const at: Record<string, string> = {}

async function now(): Promise<string> {
  await cluster.sql('select pg_sleep(0.02)')
  const [row] = await cluster.sql<{ time: string }>(
    `select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as time`,
  )
  await cluster.sql('select pg_sleep(0.02)')
  return row?.time ?? ''
}

async function bring(
  table: string,
  moment: string,
  options: { into?: string; diff?: boolean; apply?: { reason: string } } = {},
): Promise<TableRestored> {
  const { into, ...rest } = options
  return await restoreTable(cluster.backupStore, cluster.source.database, tester, {
    table: parseTableName(table),
    target: parseTarget(moment),
    databaseName: 'postgres',
    liveUrl: cluster.source.url,
    place,
    ...(into === undefined ? {} : { into: parseTableName(into) }),
    ...rest,
  })
}

/** What tells whether two tables hold the same. */
async function content(table: string): Promise<string | undefined> {
  const [row] = await cluster.sql<{ hash: string }>(
    `select count(*) || ' ' || coalesce(sum(hashtextextended(r::text, 0)), 0) as hash from ${table} r`,
  )
  return row?.hash
}

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'akashi-scratch-'))
  await chmod(place, 0o711)
  cluster = await startCluster()
  stream = cluster.stream()
  await cluster.sql(toldSchema)
  await cluster.sql(keepersTable)
  await cluster.sql(`create type mood as enum ('low', 'high')`)
  await cluster.sql('create table parent (id integer primary key)')
  await cluster.sql('insert into parent select i from generate_series(1, 10) i')
  await cluster.sql(`create table notes (
      id bigint generated always as identity primary key, parent integer references parent,
      body text not null, mood mood, tags text[], amount numeric(30, 10), doubled numeric generated always as (amount * 2) stored,
      at timestamptz default now(), raw bytea, person uuid default gen_random_uuid(), unique (id, parent))`)
  // Long and incompressible values go out of line.
  await cluster.sql(`insert into notes (parent, body, mood, tags, amount, raw)
    select 1 + i % 10, i || (select string_agg(md5(j || ' ' || i), '') from generate_series(1, 120) j), 'low',
           array['a', i::text, null], i / 7.0, decode(md5(i::text), 'hex') from generate_series(1, 400) i`)
  await cluster.sql(`create index on notes (mood, at desc) where mood = 'low'`)
  await cluster.sql(`create table "Odd ""Name" (id integer primary key, v text)`)
  await cluster.sql(`insert into "Odd ""Name" values (1, 'x')`)
  await cluster.sql('create table other (id integer primary key, filler text)')
  await cluster.sql(`insert into other select i, repeat('x', 500) from generate_series(1, 60000) i`)
  await cluster.sql(
    'create table parts (id integer, day date, v text, primary key (id, day)) partition by range (day)',
  )
  await cluster.sql(
    `create table parts_1 partition of parts for values from ('2026-01-01') to ('2026-02-01')`,
  )
  await cluster.sql(
    `create table parts_2 partition of parts for values from ('2026-02-01') to ('2026-03-01')`,
  )
  await cluster.sql(
    `insert into parts select i, date '2026-01-01' + i % 50, 'v' || i from generate_series(1, 1000) i`,
  )
  whole = (await runBackup(cluster.backupStore, cluster.source, 'full')).bytes
  const [other] = await cluster.sql<{ bytes: number }>(`select pg_relation_size('other')::float8 as bytes`)
  large = other?.bytes ?? 0
  await cluster.sql(`update notes set mood = 'high' where id % 3 = 0`)
  await cluster.sql('delete from notes where id > 390')
  await cluster.sql(`update other set filler = repeat('y', 400) where id % 5 = 0`)
  await runBackup(cluster.backupStore, cluster.source, 'incremental')
  await cluster.sql(`insert into parts values (5000, '2026-02-03', 'late')`)
  await cluster.sql('alter table parts rename to renamed')
  await cluster.sql(
    `create table younger as select i as id, repeat('z', 3000) as v from generate_series(1, 50) i`,
  )
  await cluster.sql('alter table notes add column added integer default 7')
  at['first'] = await now()
  for (const table of ['notes', 'renamed', 'younger', '"Odd ""Name"'])
    at[table] = (await content(table)) ?? ''
  await cluster.sql('truncate other')
  await cluster.sql('vacuum full notes')
  await cluster.sql(`update notes set body = 'changed ' || id, amount = 0 where id in (5, 6)`)
  await cluster.sql('delete from notes where id in (1, 2, 3)')
  await cluster.sql(
    `set role keeper; update shop.goods set mood = 'sad', price = 9 where id = 1; delete from shop.goods where id = 2`,
  )
  await cluster.sql(`insert into notes (parent, body) values (1, 'new')`)
  at['second'] = await now()
  at['notes later'] = (await content('notes')) ?? ''
  await cluster.sql('drop table renamed')
  await cluster.sql('drop table younger')
  await cluster.sql(`drop table "Odd ""Name"`)
  await now()
  await cluster.sql(`select pg_logical_emit_message(true, 'test', '')`)
  await stream.flushed()
}, 120_000)

afterAll(async () => {
  await stream.stop()
  await cluster.stop()
  await rm(place, { recursive: true, force: true })
})

it('brings one table back as it was, with its types, long values, indexes and sequence', async () => {
  const restored = await bring('notes', at['first'] ?? '', { into: 'notes_then' })
  expect(restored).toMatchObject({ table: 'public.notes', into: 'public.notes_then', rows: 390, notes: [] })
  expect(await content('notes_then')).toBe(at['notes'])
  expect(restored.foreignKeys).toHaveLength(1)
  expect(restored.chain).toHaveLength(2)
  const [next] = await cluster.sql<{ id: string }>(
    `insert into notes_then (body, raw) values ('next', null) returning id::text`,
  )
  expect(next?.id).toBe('401')
  const indexes = await cluster.sql<{ def: string }>(
    `select indexdef as def from pg_indexes where tablename = 'notes_then' order by 1`,
  )
  expect(indexes).toHaveLength(3)
  expect(indexes.some(({ def }) => def.includes(`(mood, at DESC) WHERE (mood = 'low'::mood)`))).toBe(true)
  expect(
    await cluster.sql(`select count(*) > 5 as analyzed from pg_stats where tablename = 'notes_then'`),
  ).toEqual([{ analyzed: true }])
  expect(await cluster.sql('select what, resource, id from akashi_audit.said')).toContainEqual({
    what: 'restore',
    resource: 'public.notes',
    id: 'public.notes_then',
  })
  // The large table beside it was not fetched.
  expect(restored.bytes).toBeLessThan(whole - large)
  const again = bring('notes', at['first'] ?? '', { into: 'notes_then' })
  await expect(again).rejects.toMatchObject({ code: 'conflict' })
}, 60_000)

it('finds tables that were dropped, renamed, partitioned or made since the backup', async () => {
  for (const [table, into] of [
    ['renamed', 'renamed_then'],
    ['younger', 'younger_then'],
    ['"Odd ""Name"', '"Odd then"'],
  ] as const) {
    await bring(table, at['first'] ?? '', { into })
    expect(await content(into), table).toBe(at[table])
  }
  await bring('notes', at['second'] ?? '', { into: 'notes_later' })
  expect(await content('notes_later')).toBe(at['notes later'])
  await expect(bring('parts', at['first'] ?? '', { into: 'x' })).rejects.toMatchObject({ code: 'not_found' })
  await expect(bring('notes', '2001-01-01', { into: 'x' })).rejects.toMatchObject({ code: 'conflict' })
  expect(await cluster.sql(`select to_regclass('x') as x`)).toEqual([{ x: null }])
}, 120_000)

it('compares with the present rows and brings back what is missing or changed, for a reason', async () => {
  const before = await content('notes')
  const { difference, applied } = await bring('notes', at['first'] ?? '', { diff: true })
  expect(applied).toBeNull()
  expect(difference).toMatchObject({ missing: 3, changed: 2, added: 1, uncompared: [] })
  expect(difference?.rows.map(({ kind, key }) => [kind, key['id']])).toEqual([
    ['missing', 1],
    ['missing', 2],
    ['missing', 3],
    ['changed', 5],
    ['changed', 6],
    ['added', 401],
  ])
  const changed = difference?.rows.find(({ kind }) => kind === 'changed')
  expect(Object.keys(changed?.now ?? {}).sort()).toEqual(['amount', 'body'])
  expect(await content('notes')).toBe(before)

  await expect(bring('notes', at['first'] ?? '', { apply: { reason: ' ' } })).rejects.toMatchObject({
    code: 'invalid_input',
  })
  const done = await bring('notes', at['first'] ?? '', { apply: { reason: 'deleted by mistake' } })
  expect(done.applied).toEqual({ inserted: 3, updated: 2 })
  await cluster.sql('delete from notes where id = 401')
  expect(await content('notes')).toBe(at['notes'])
  const [said] = await cluster.sql<{ detail: Record<string, unknown> }>(
    `select detail from akashi_audit.said where what = 'apply'`,
  )
  expect(said?.detail).toMatchObject({ reason: 'deleted by mistake', inserted: 3, updated: 2 })
}, 60_000)

it.each([{ diff: true }, { into: 'copy_of_it' }, { apply: { reason: 'a role that was taken by mistake' } }])(
  'refuses tables of Akashi itself: %o',
  async (how) => {
    for (const table of ['akashi_auth.user_roles', 'akashi_keys.erasures', 'akashi_chat.messages']) {
      await expect(bring(table, at['first'] ?? '', how), table).rejects.toMatchObject({ code: 'unsupported' })
    }
    await expect(bring('notes', at['first'] ?? '', { into: 'akashi_auth.users' })).rejects.toMatchObject({
      code: 'unsupported',
    })
  },
)

it('records a comparison, and shows no column that the trail holds no values of', async () => {
  await cluster.sql(`update notes set body = 'changed again' where id = 7`)
  await cluster.sql(`insert into akashi_audit.protected_tables values ('public', 'notes', '{body}', '{raw}')`)
  await cluster.sql('truncate akashi_audit.said')
  const { difference } = await bring('notes', at['first'] ?? '', { diff: true })
  expect(difference?.changed).toBeGreaterThan(0)
  const shown = difference?.rows.flatMap(({ before, now }) => Object.keys({ ...before, ...now })) ?? []
  expect(shown.filter((name) => name === 'body' || name === 'raw')).toEqual([])
  expect(await cluster.sql('select what, resource from akashi_audit.said')).toEqual([
    { what: 'read', resource: 'public.notes' },
  ])
  await cluster.sql('truncate akashi_audit.protected_tables')
}, 60_000)

it('does not bring back rows of people who were erased since', async () => {
  await cluster.sql(`insert into akashi_keys.personal_columns values ('public', 'notes', 'person')`)
  const [present] = await cluster.sql<{ present: boolean }>(
    `select exists (select from pg_attribute where attrelid = 'notes'::regclass and attname = 'person') as present`,
  )
  expect(present?.present).toBe(true)
  await cluster.sql('insert into akashi_keys.erasures select distinct person from notes where id = 8')
  await bring('notes', at['first'] ?? '', { into: 'notes_without' })
  expect(await cluster.sql('select count(*)::integer as rows from notes_without where id = 8')).toEqual([
    { rows: 0 },
  ])
  await cluster.sql('truncate akashi_keys.erasures, akashi_keys.personal_columns')
}, 60_000)

it('runs nothing of a table’s owner as anybody who is, or may become, a superuser', async () => {
  await cluster.sql('truncate shop.seen')
  const { difference } = await bring('shop.goods', at['first'] ?? '', { diff: true })
  expect(difference).toMatchObject({ missing: 1, changed: 1, added: 0 })
  expect(difference?.rows).toContainEqual({
    kind: 'changed',
    key: { id: 1 },
    before: { price: '1', mood: 'glad' },
    now: { price: '9', mood: 'sad' },
  })
  expect(await cluster.sql('select what from shop.seen')).toEqual([])

  await bring('shop.goods', at['first'] ?? '', { into: 'shop.goods_then' })
  const { applied } = await bring('shop.goods', at['first'] ?? '', { apply: { reason: 'a test' } })
  expect(applied).toEqual({ inserted: 1, updated: 1 })
  expect(await cluster.sql('select id, price, mood from shop.goods order by id')).toEqual([
    { id: 1, price: '1', mood: 'glad' },
    { id: 2, price: '2', mood: 'sad' },
    { id: 3, price: '3', mood: 'glad' },
  ])
  const seen = await cluster.sql<{ what: string; super: boolean }>(
    'select distinct what, super from shop.seen',
  )
  expect(seen).toContainEqual({ what: 'trigger', super: false })
  expect(seen).toContainEqual({ what: 'domain', super: false })
  expect(seen.filter((each) => each.super)).toEqual([])
  expect(await cluster.sql(`select tableowner from pg_tables where tablename = 'goods_then'`)).toEqual([
    { tableowner: 'keeper' },
  ])
  expect(await cluster.sql(`select rolname from pg_roles where rolname like 'akashi\\_restore\\_%'`)).toEqual(
    [],
  )
}, 120_000)
