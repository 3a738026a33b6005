/** What is legal in a table is recorded as it was, in small statements and in large ones. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  auditLogs,
  entryHash,
  postgresEntrySql,
  recordAsOf,
  recordHistory,
  searchTrail,
} from '../../src/audit/index.ts'
import { openDatabase, person } from '../../src/postgres/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const worker = database.open('worker')

interface Row {
  readonly operation: string
  readonly record_id: string
  readonly old_values: Record<string, unknown> | null
  readonly new_values: Record<string, unknown> | null
  readonly changed_fields: readonly string[] | null
  readonly trigger_depth: number | null
  readonly user_id: string | null
  readonly session_id: string | null
  readonly signed_by: string | null
  readonly context_verified: boolean
  readonly db_user: string
  readonly db_system_user: string | null
  readonly request_id: string | null
}

async function run(...statements: string[]): Promise<void> {
  await database.asSuperuser(async (session) => {
    for (const statement of statements) await session.query(statement)
  })
}

async function trail(table: string): Promise<Row[]> {
  return await database.asSuperuser(
    async (session) =>
      (
        await session.query<Row>('select * from akashi_audit.audit_logs where table_name = $1 order by seq', [
          table,
        ])
      ).rows,
  )
}

const last = async (table: string) => (await trail(table)).at(-1)

const now = async () =>
  await database.asSuperuser(async (session) => {
    const { rows } = await session.query<{ now: string }>(
      `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as now`,
    )
    return rows[0]?.now ?? ''
  })

/** More than the statement with a plan of its own records. */
const MANY = 60

describe('json', () => {
  it.each([
    ['a member twice', '{"role":"admin","role":"user"}'],
    ['an escaped NUL', '{"a":"\\u0000"}'],
    ['half of a surrogate pair', '{"a":"\\ud800"}'],
    ['a number beyond numeric', '{"a":1e400000}'],
    ['its own spacing', '{ "a" : 1 }'],
  ])('is kept as its text: %s', async (name, text) => {
    const table = `json_${name.toLowerCase().replaceAll(/\W/g, '_')}`
    const literal = `'${text}'`
    await run(
      `create table ${table} (id int primary key, doc json)`,
      `select akashi_audit.protect('${table}')`,
      `insert into ${table} values (0, ${literal})`,
      `insert into ${table} select g, ${literal} from generate_series(1, ${MANY}) g`,
      `update ${table} set doc = '{"role":"user"}'`,
      `update ${table} set doc = ${literal} where id = 0`,
      `delete from ${table}`,
    )
    const rows = await trail(table)
    const of = (operation: string) => rows.filter((row) => row.operation === operation)
    expect(of('INSERT').map((row) => row.new_values?.['doc'])).toEqual(Array(MANY + 1).fill(text))
    expect(of('UPDATE')).toHaveLength(MANY + 2)
    expect(of('UPDATE').at(0)?.old_values).toEqual({ doc: text })
    expect(of('UPDATE').at(-1)?.old_values).toEqual({ doc: '{"role":"user"}' })
    expect(of('UPDATE').at(-1)?.new_values).toEqual({ id: 0, doc: text })
    expect(
      of('DELETE')
        .map((row) => row.old_values?.['doc'])
        .filter((doc) => doc === text),
    ).toHaveLength(1)
  })

  it('is recorded as text also in columns added later, arrays, composites and domains', async () => {
    await run(
      'create type with_json as (label text, doc json)',
      'create domain checked_json as json check (value is not null)',
      'create table later (id int primary key)',
      "select akashi_audit.protect('later')",
      'insert into later values (1)',
      "alter table later add doc json, add docs json[], add pair with_json, add checked checked_json default '{}'",
      `insert into later values (2, '{"a":1,"a":2}', array['{"b":"\\u0000"}'::json], row('l', '{"c":1e400000}'), '{"d":"\\ud800"}')`,
    )
    expect((await last('later'))?.new_values).toEqual({
      id: 2,
      doc: '{"a":1,"a":2}',
      docs: '{"{\\"b\\":\\"\\\\u0000\\"}"}',
      pair: '(l,"{""c"":1e400000}")',
      checked: '{"d":"\\ud800"}',
    })
  })

  it('runs no cast of the owner of a type', async () => {
    await run(
      'create type boxed as (doc json)',
      "create function unbox(boxed) returns text language plpgsql as $$ begin raise exception 'cast ran'; end $$",
      'create cast (boxed as text) with function unbox(boxed)',
      'create table boxes (id int primary key, b boxed)',
      "select akashi_audit.protect('boxes')",
      `insert into boxes values (1, row('{"a":1}')::boxed)`,
    )
    expect((await last('boxes'))?.new_values).toEqual({ id: 1, b: '("{""a"":1}")' })
  })
})

describe('a key', () => {
  const longKey = `select string_agg(sha512(i::text::bytea), '') from generate_series(1, 22) i`

  it('that is too long for an index is replaced by its digest, alone and in a composite key', async () => {
    await run(
      'create table blobs (k bytea primary key, n int)',
      'create table pairs (a text, b text, primary key (a, b))',
      "select akashi_audit.protect('blobs'), akashi_audit.protect('pairs')",
      `insert into blobs ${longKey.replace("'')", "''), 1")}`,
      'update blobs set n = 2',
      `insert into blobs select sha512(i::text::bytea) || sha512(i::text::bytea), 1 from generate_series(1, ${MANY}) i`,
      'update blobs set k = sha256(k) where n = 2',
      `insert into pairs select encode(substring(k, 1, 650), 'hex'), encode(substring(k, 651, 650), 'hex') from (${longKey}) x (k)`,
    )
    const blobs = await trail('blobs')
    expect(blobs[0]?.record_id).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(blobs[1]?.record_id).toBe(blobs[0]?.record_id)
    expect((await last('pairs'))?.record_id).toMatch(/^sha256:[0-9a-f]{64}$/)
    const { rows } = await recordHistory(worker, tester, {
      table: 'blobs',
      recordId: blobs.at(-1)?.record_id ?? '',
    })
    expect(rows.map((row) => row.operation)).toEqual(['INSERT', 'UPDATE', 'UPDATE'])
  })
})

describe('a request', () => {
  it('is truncated to fit an index, and malformed names are ignored', async () => {
    await run('create table asked (id int primary key)', "select akashi_audit.protect('asked')")
    await database.asSuperuser(async (session) => {
      await session.query(`select set_config('app.request_id', (select string_agg(md5(g::text), '') from generate_series(1, 200) g), false),
        set_config('app.trace_id', (select string_agg(md5(g::text), '') from generate_series(1, 200) g), false),
        set_config('app.current_user_id', (select string_agg(md5(g::text), '') from generate_series(1, 200) g), false),
        set_config('app.current_session_id', E'a\\nb', false)`)
      await session.query('insert into asked values (1)')
      const made = await session.query<{ name: string | null }>(
        "select akashi_audit.index_closed_partition(now() + interval '2 months') as name from generate_series(1, 30)",
      )
      expect(made.rows.at(-1)).toEqual({ name: null })
    })
    const row = await last('asked')
    expect(row?.request_id).toHaveLength(128)
    expect([row?.user_id, row?.session_id]).toEqual([null, null])
  })
})

describe('the order of one record', () => {
  const slugs = (table: string) => [
    `create table ${table} (id int primary key, title text, slug text)`,
    `create function ${table}_slug() returns trigger language plpgsql as $$ begin
       update ${table} set slug = lower(new.title) where id = new.id and slug is distinct from lower(new.title); return null; end $$`,
    `create trigger slugify after insert or update on ${table} for each row execute function ${table}_slug()`,
    `select akashi_audit.protect('${table}')`,
  ]

  it.each([
    ['small', 1],
    ['large', MANY],
  ])(
    'is that of the effect where a row trigger changes the row again, in a %s statement',
    async (name, count) => {
      const table = `docs_${name}`
      await run(
        ...slugs(table),
        `insert into ${table} select g, 'Hello' from generate_series(1, ${count}) g`,
        `update ${table} set title = 'World'`,
      )
      const { rows } = await recordHistory(worker, tester, { table, recordId: '1' })
      expect(rows.map((row) => [row.operation, row.changedFields, row.triggerDepth])).toEqual([
        ['INSERT', null, null],
        ['UPDATE', ['slug'], 1],
        ['UPDATE', ['title'], null],
        ['UPDATE', ['slug'], 1],
      ])
      expect(await recordAsOf(worker, tester, { table, recordId: '1', at: await now() })).toMatchObject({
        state: 'present',
        values: { id: 1, title: 'World', slug: 'world' },
      })
    },
  )

  it('follows the effects through several trigger levels', async () => {
    await run(
      'create table levels (id int primary key, n int)',
      `create function deeper() returns trigger language plpgsql as $$ begin
         update levels set n = n + 1 where id = new.id and n < 5; return null; end $$`,
      'create trigger deeper after insert or update on levels for each row execute function deeper()',
      "select akashi_audit.protect('levels')",
      'insert into levels values (1, 0)',
    )
    expect((await trail('levels')).map((row) => [row.new_values?.['n'], row.trigger_depth])).toEqual([
      [0, null],
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
      [5, 5],
    ])
  })

  it('is unchanged when a trigger changes a row before its statement, or after another one', async () => {
    await run(
      'create table renewed (id int primary key, n int)',
      'create function make_room() returns trigger language plpgsql as $$ begin delete from renewed; return null; end $$',
      'create trigger make_room before insert on renewed for each statement execute function make_room()',
      'create table source (id int primary key)',
      'create function spread() returns trigger language plpgsql as $$ begin update renewed set n = n + 1; return null; end $$',
      'create trigger spread after insert on source for each row execute function spread()',
      "select akashi_audit.protect('renewed')",
      'insert into renewed values (1, 1)',
      'insert into renewed values (1, 2)',
      'begin',
      'insert into source values (1)',
      'update renewed set n = n * 10',
      'commit',
    )
    expect((await trail('renewed')).map((row) => [row.operation, row.new_values?.['n']])).toEqual([
      ['INSERT', 1],
      ['DELETE', undefined],
      ['INSERT', 2],
      ['UPDATE', 3],
      ['UPDATE', 30],
    ])
  })

  it('does not treat an earlier change by a trigger as a consequence of a later statement', async () => {
    await run(
      'create table undone (id int primary key, n int)',
      `create function once_more() returns trigger language plpgsql as $$ begin
         update undone set n = n + 1 where id = new.id and n = 1; update undone set n = n + 1 where id = new.id and n = 2; return null; end $$`,
      'create trigger once_more after insert on undone for each row execute function once_more()',
      "select akashi_audit.protect('undone')",
      'begin',
      'insert into undone values (1, 1)',
      'update undone set n = 1',
      'update undone set n = 2',
      'commit',
    )
    expect((await trail('undone')).map((row) => row.new_values?.['n'])).toEqual([1, 2, 3, 1, 2])
  })

  it('ignores settings of the session', async () => {
    await run(
      'create table claimed (id int primary key, n int)',
      "select akashi_audit.protect('claimed')",
      'begin',
      'insert into claimed values (1, 1)',
      "select set_config('akashi.nested_changes', pg_current_xact_id()::text, true)",
      'update claimed set n = 2',
      'update claimed set n = 1',
      'commit',
    )
    expect((await trail('claimed')).map((row) => row.new_values?.['n'])).toEqual([1, 2, 1])
  })
})

describe('who acted', () => {
  it('shows the login behind SET SESSION AUTHORIZATION', async () => {
    await run(
      'create table framed (id int primary key)',
      'grant insert on framed to akashi_app',
      "select akashi_audit.protect('framed')",
    )
    const major = await database.asSuperuser(async (session) => {
      await session.query('set session authorization akashi_app')
      await session.query('insert into framed values (1)')
      await session.query('reset session authorization')
      const { rows } = await session.query<{ v: number }>(
        "select current_setting('server_version_num')::int / 10000 as v",
      )
      return rows[0]?.v ?? 0
    })
    const row = await last('framed')
    expect(row?.db_user).toBe('akashi_app')
    expect(row?.db_system_user).toEqual(major < 16 ? null : expect.stringMatching(/:postgres$/))
  })

  it('may be any text in another application, whose users see their own rows and have no rights', async () => {
    const administrator = '0199d3a0-0000-7000-8000-0000000000aa'
    const key = { id: 'shop-1', secret: randomBytes(32) }
    await database.asSuperuser(async (session) => {
      await session.query("select akashi_auth.add_context_key($1, $2, 'shop', 'akashi_app')", [
        key.id,
        key.secret,
      ])
      await session.query('create table basket (id int primary key)')
      await session.query('grant insert on basket to akashi_app, akashi_worker')
      await session.query("select akashi_audit.protect('basket')")
    })
    const shop = database.open('app', { contextKey: key })
    const act = (userId: string, id: number) =>
      shop.transaction(person({ userId, sessionId: `s/${id}` }), (session) =>
        session.query(`insert into public.basket values (${id})`),
      )
    await act('42', 1)
    await act('山田 太郎 <taro@example.jp>', 2)
    await act(administrator, 3)
    await database
      .open('app')
      .transaction(person({ userId: '42' }), (session) =>
        session.query('insert into public.basket values (4)'),
      )
    expect((await trail('basket')).map((row) => [row.user_id, row.session_id, row.signed_by])).toEqual([
      ['42', 's/1', 'shop'],
      ['山田 太郎 <taro@example.jp>', 's/2', 'shop'],
      [administrator, 's/3', 'shop'],
      ['42', null, 'akashi'],
    ])
    const own = await searchTrail(shop, person({ userId: '42' }), { userId: '42', table: 'basket' })
    expect(own.rows.map((row) => [row.recordId, row.signedBy])).toEqual([['1', 'shop']])
    const { rows } = await shop.transaction(person({ userId: administrator }), (session) =>
      session.query(
        'select akashi_auth.current_user_id() as id, akashi_auth.context_user() as named, akashi_auth.context_verified() as verified',
      ),
    )
    expect(rows).toEqual([{ id: null, named: administrator, verified: true }])
    await expect(act('a\u001fb', 5)).rejects.toThrow(/userId/)
    await expect(act('x'.repeat(256), 5)).rejects.toThrow(/userId/)
    // The key signs for the login it was given to.
    const elsewhere = openDatabase({ url: database.url('worker'), role: 'worker', contextKey: key })
    await elsewhere.transaction(person({ userId: '42' }), (session) =>
      session.query('insert into public.basket values (6)'),
    )
    await elsewhere.close()
    expect(await last('basket')).toMatchObject({ user_id: '42', signed_by: null, context_verified: false })
  })
})

describe('a value that is too large to be printed', () => {
  it('is digested or refused on recording, so that the row can be sealed', async () => {
    await run(
      'create table heavy (id int primary key, doc jsonb, body text)',
      "select akashi_audit.protect('heavy')",
      // A dozen bytes that print as 131,072 digits, 270 times.
      "insert into heavy values (1, (select jsonb_agg(1e131071::numeric) from generate_series(1, 270)), 'short')",
      // Six characters of JSON each.
      "insert into heavy values (2, null, repeat(E'\\x01', 6000000))",
    )
    const digest = { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }
    expect((await trail('heavy')).map((row) => row.new_values)).toEqual([
      { id: 1, doc: digest, body: 'short' },
      { id: 2, doc: null, body: digest },
    ])
    await expect(
      run(
        "select akashi_audit.record_action('a', 'b', detail => (select jsonb_agg(1e131071::numeric) from generate_series(1, 20)))",
      ),
    ).rejects.toThrow(/at most 1 MiB/)
    const entry = postgresEntrySql(auditLogs)
    const { rows } = await database.asSuperuser((session) =>
      session.query(
        `select ${entry.hash} from (select ${entry.texts} from akashi_audit.audit_logs r where table_name = 'heavy' offset 0) t`,
      ),
    )
    expect(rows).toHaveLength(2)
  }, 120_000)
})

describe('the encoding of arrays', () => {
  it('distinguishes bounds, dimensions and NULLs', async () => {
    const values = [
      "'{a,b}'",
      "'{}'",
      "'{NULL}'",
      "'{a,b,NULL}'",
      "'[5:6]={a,b}'",
      "'{{a},{b}}'",
      "'{{a,b}}'",
      `(select array_agg('a' || g) from generate_series(1, 20) g)`,
      `(select array_agg('a' || g) || null::text from generate_series(1, 20) g)`,
      `(select array_agg(array['a' || g]) from generate_series(1, 20) g)`,
    ]
    const entry = postgresEntrySql(auditLogs)
    const rows = await database.asSuperuser(async (session) => {
      await session.query('create temporary table odd as select * from akashi_audit.audit_logs limit 0')
      for (const value of values) await session.query(`insert into odd (changed_fields) values (${value})`)
      return (
        await session.query<{ hash: string }>(
          `select encode(${entry.hash}, 'hex') as hash from (select ${entry.texts} from odd r offset 0) t`,
        )
      ).rows
    })
    expect(new Set(rows.map((row) => row.hash)).size).toBe(values.length)
    const lists = rows.slice(0, 2).map((row) => row.hash)
    expect(lists).toEqual(
      [['a', 'b'], []].map((fields) => entryHash(auditLogs, { changed_fields: fields }).toString('hex')),
    )
  })
})
