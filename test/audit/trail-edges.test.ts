import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it } from 'vitest'
import type { DirectSession } from '../../src/postgres/index.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()

interface Row {
  table_name: string
  operation: string
  record_id: string | null
  old_values: Record<string, unknown> | null
  new_values: Record<string, unknown> | null
  changed_fields: string[] | null
  detail: Record<string, unknown> | null
  data_subject: string | null
}

/** Beyond this many rows a statement is recorded by one made for it; both must give the same. */
const BULK_ROWS = 50
const MANY = 3 * BULK_ROWS

/** Runs statements as a superuser in one transaction and answers the trail of the tables named. */
function run(tables: string | string[], ...statements: string[]): Promise<Row[]> {
  return database.asSuperuser(async (session) => {
    await session.query('begin')
    for (const statement of statements) await session.query(statement)
    const rows = await trail(session, tables)
    await session.query('commit')
    return rows
  })
}

async function trail(session: DirectSession, tables: string | string[]): Promise<Row[]> {
  const { rows } = await session.query<Row>(
    'select * from akashi_audit.audit_logs where table_name = any ($1) order by seq',
    [[tables].flat()],
  )
  return rows
}

async function ask<R>(text: string): Promise<R[]> {
  return await database.asSuperuser(async (session) => (await session.query<R>(text)).rows)
}

const said = (rows: Row[]) => rows.map((row) => `${row.operation} ${row.record_id}`).sort()
const problems = async (table: string) =>
  (
    await ask<{ problem: string }>(
      `select problem from akashi_audit.trigger_problems('audit_logs') where "table" = '${table}' order by 1`,
    )
  ).map(({ problem }) => problem)
const serverMajor = async () =>
  (await ask<{ major: number }>("select current_setting('server_version_num')::int / 10000 as major"))[0]
    ?.major ?? 0

it('a partition that is created during the look at the triggers is no missing table', async () => {
  await database.asSuperuser(async (session) => {
    await session.query('begin isolation level repeatable read')
    await session.query('select from akashi_audit.logs')
    await ask(
      `select akashi_lifecycle.create_partitions('akashi_security.security_events', array[now() + interval '400 days'])`,
    )
    const { rows } = await session.query(`select * from akashi_audit.trigger_problems('security_events')`)
    await session.query('commit')
    expect(rows).toEqual([])
  })
})

describe('every way of writing', () => {
  it('records each branch of MERGE, and nothing for DO NOTHING', async () => {
    const bySource = (await serverMajor()) >= 17
    const rows = await run(
      'merged',
      'create table merged (id int primary key, n int)',
      'insert into merged select i, i from generate_series(1, 5) i',
      "select akashi_audit.protect('merged')",
      `merge into merged m using (values (1, 10), (2, null), (3, 30), (9, 90), (8, -1)) s (id, n) on m.id = s.id
       when matched and s.n is null then delete
       when matched and s.n = 30 then do nothing
       when matched then update set n = s.n
       when not matched and s.n < 0 then do nothing
       when not matched then insert values (s.id, s.n)
       ${bySource ? 'when not matched by source and m.id = 5 then delete when not matched by source then update set n = -m.n' : ''}`,
    )
    expect(said(rows)).toEqual(
      ['DELETE 2', 'INSERT 9', 'UPDATE 1', ...(bySource ? ['DELETE 5', 'UPDATE 4'] : [])].sort(),
    )
  })

  it('records the actual effect of ON CONFLICT', async () => {
    const rows = await run(
      'conflicting',
      'create table conflicting (id int primary key, n int)',
      'insert into conflicting values (1, 1), (2, 2)',
      "select akashi_audit.protect('conflicting')",
      'insert into conflicting values (1, 7), (3, 3) on conflict do nothing',
      'insert into conflicting values (1, 7), (2, 8), (4, 4) on conflict (id) do update set n = excluded.n where conflicting.id = 1',
    )
    expect(said(rows)).toEqual(['INSERT 3', 'INSERT 4', 'UPDATE 1'])
  })

  it('records COPY, also many rows at once', async () => {
    await run(
      'copied',
      "create table copied (id int primary key, note text); select akashi_audit.protect('copied')",
    )
    const lines = Array.from({ length: 1000 }, (_, i) => `${i}\tn${i}\n`)
    const rows = await database.asSuperuser(async (session) => {
      await pipeline(Readable.from(lines), session.copyFrom('copy copied from stdin'))
      return await trail(session, 'copied')
    })
    expect(rows.map((row) => row.new_values)).toEqual(lines.map((_, id) => ({ id, note: `n${id}` })))
    expect(new Set(rows.map((row) => row.record_id)).size).toBe(1000)
  })

  it('records nothing that was rolled back to a savepoint or with the transaction', async () => {
    const rows = await run(
      'nested',
      "create table nested (id int primary key); select akashi_audit.protect('nested')",
      'insert into nested values (1); savepoint a; insert into nested values (2); savepoint b; insert into nested values (3)',
      'rollback to savepoint b; insert into nested values (4); release savepoint a; savepoint c; delete from nested; rollback to savepoint c',
    )
    expect(said(rows)).toEqual(['INSERT 1', 'INSERT 2', 'INSERT 4'])
  })

  it('records writable CTEs, triggers that write, and functions', async () => {
    const rows = await run(
      ['source', 'mirror'],
      `create table source (id int primary key, n int); create table mirror (id int primary key, n int);
       create function copy_over() returns trigger language plpgsql as $$ begin insert into mirror values (new.id, new.n); return new; end $$;
       create trigger copy_over before insert on source for each row execute function copy_over();
       select akashi_audit.protect('source'), akashi_audit.protect('mirror')`,
      'with gone as (delete from source returning *), made as (insert into source values (1, 1), (2, 2) returning *) update mirror set n = 0',
      'with moved as (delete from source where id = 1 returning *) insert into mirror select id + 10, n from moved',
    )
    expect(said(rows.filter((row) => row.table_name === 'mirror'))).toEqual([
      'INSERT 1',
      'INSERT 11',
      'INSERT 2',
    ])
    expect(said(rows.filter((row) => row.table_name === 'source'))).toEqual([
      'DELETE 1',
      'INSERT 1',
      'INSERT 2',
    ])
  })
})

describe('partitions and children', () => {
  it('records direct writes to a partition', async () => {
    const rows = await run(
      ['p', 'p_low', 'p_high'],
      `create table p (id int primary key, n int) partition by range (id);
       create table p_low partition of p for values from (minvalue) to (100);
       create table p_high partition of p for values from (100) to (maxvalue)`,
      "select akashi_audit.protect('p')",
      'insert into p_low values (1, 1), (2, 2)',
      'insert into p values (3, 3), (103, 3)',
      'update p_low set n = 0 where id = 1',
      'delete from p_low where id = 2',
      'truncate p_low',
      'truncate p',
    )
    expect(rows.map((row) => `${row.table_name} ${row.operation} ${row.record_id}`)).toEqual([
      'p_low INSERT 1',
      'p_low INSERT 2',
      'p INSERT 3',
      'p INSERT 103',
      'p_low UPDATE 1',
      'p_low DELETE 2',
      'p_low TRUNCATE null',
      'p TRUNCATE null',
      // TRUNCATE fires on every partition too.
      'p_low TRUNCATE null',
      'p_high TRUNCATE null',
    ])
  })

  it('follows list, hash, default and nested partitions, and rows that move between them', async () => {
    const rows = await run(
      'odd',
      `create table odd (region text, id int, n int, primary key (region, id)) partition by list (region);
       create table odd_eu partition of odd for values in ('de', 'fr') partition by hash (id);
       create table odd_eu_0 partition of odd_eu for values with (modulus 2, remainder 0);
       create table odd_eu_1 partition of odd_eu for values with (modulus 2, remainder 1);
       create table odd_rest partition of odd default`,
      "select akashi_audit.protect('odd')",
      `insert into odd select r, i, 0 from unnest(array['de', 'fr', 'jp']) r, generate_series(1, ${MANY}) i`,
      "update odd set region = 'us' where region = 'de'",
    )
    expect(rows).toHaveLength(4 * MANY)
    const moved = rows.filter((row) => row.operation === 'UPDATE')
    expect(moved).toHaveLength(MANY)
    for (const row of moved) {
      expect(row.changed_fields).toEqual(['region'])
      expect(row.detail).toEqual({ previous_record_id: row.record_id?.replace('us', 'de') })
    }
    expect(await problems('public.odd_eu_1')).toEqual([])
  })

  it('reports a partition that was attached later, until the table is protected again', async () => {
    await run(
      'grows',
      `create table grows (id int primary key) partition by range (id);
       create table grows_1 partition of grows for values from (0) to (100)`,
      "select akashi_audit.protect('grows')",
      'create table grows_2 (like grows including all)',
      'alter table grows attach partition grows_2 for values from (100) to (200)',
    )
    expect(await problems('public.grows_2')).toHaveLength(4)
    expect(said(await run('grows', 'insert into grows values (150)'))).toEqual(['INSERT 150'])
    await run('grows', "select akashi_audit.protect('grows')")
    expect(await problems('public.grows_2')).toEqual([])
    expect(said(await run('grows_2', 'delete from grows_2'))).toEqual(['DELETE 150'])
  })

  it('gives partitions that Akashi makes for a protected table their triggers', async () => {
    await database.asSuperuser((session) =>
      session.query(`set role akashi_owner;
        create table akashi_audit.journal (id uuid not null, created_at timestamptz not null, note text, primary key (id, created_at)) partition by range (created_at);
        alter table akashi_audit.journal enable row level security; alter table akashi_audit.journal force row level security;
        create policy journal_owner on akashi_audit.journal to akashi_owner using (true) with check (true);
        insert into akashi_lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
        values ('akashi_audit', 'journal', 'month', 2, '1 year', 'archive', '7 years', false);
        insert into akashi_audit.protected_tables (schema_name, table_name, key_columns) values ('akashi_audit', 'journal', '{id,created_at}');
        select akashi_lifecycle.apply_partitions()`),
    )
    const made = await ask<{ name: string }>(
      "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'akashi_audit.journal'::regclass",
    )
    expect(made).toHaveLength(3)
    for (const { name } of made) expect(await problems(name)).toEqual([])
  })

  it('records rows of a child that are written through its parent, and shows the child as a gap', async () => {
    const rows = await run(
      ['mother', 'daughter'],
      `create table mother (id int primary key, n int); create table daughter (extra text) inherits (mother);
       insert into daughter values (1, 1, 'x')`,
      "select akashi_audit.protect('mother')",
      'update mother set n = 2',
      'insert into daughter values (2, 2, $$by its own name$$)',
      'delete from mother',
    )
    expect(said(rows)).toEqual(['DELETE 1', 'DELETE 2', 'UPDATE 1'])
    expect(
      await ask(
        "select state from akashi_audit.coverage where table_name in ('mother', 'daughter') order by table_name",
      ),
    ).toEqual([{ state: 'gap' }, { state: 'protected' }])
  })
})

describe('types', () => {
  const columns = `id int primary key, t text, v varchar(20), c char(5), i int, b bigint, n numeric, f float8, flag boolean, u uuid, d date,
    ts timestamp, tz timestamptz, iv interval, by bytea, ip inet, jb jsonb, a int[], ta text[], r int4range, mr datemultirange,
    m money, p point, e mood, dom positive, comp pair, x xml, bits bit(4), tv tsvector`
  const before = `'a', 'v', 'c', 1, 1, 1.0, 1.5, true, '0199d3a0-0000-7000-8000-000000000001', '2026-01-01', '2026-01-01 00:00', '2026-01-01 00:00+00',
    '1 day', '\\x01', '10.0.0.1', '{"k": 1}', '{1,2}', '{a,null}', '[1,3)', '{[2026-01-01,2026-02-01)}', 1.5, '(1,2)', 'glad', 1,
    row(1, 'x')::pair, '<a/>', b'0101', 'a:1 b:2'`
  const changes: readonly (readonly [column: string, value: string, changed: boolean])[] = [
    ['t', "'A'", true],
    ['v', "'w'", true],
    ['c', "'d'", true],
    ['i', '2', true],
    ['b', '9007199254740993', true],
    // Equal numbers of another scale are shown differently.
    ['n', '1.00', true],
    ['n', '01.0', false],
    ['n', "'NaN'", true],
    ['f', "'-Infinity'", true],
    ['flag', 'null', true],
    ['u', "'0199d3a0-0000-7000-8000-000000000002'", true],
    ['d', "'infinity'", true],
    ['ts', "'2026-01-01 00:00:00.000001'", true],
    ['tz', "'2026-01-01 09:00+09'", false],
    // The same length of time, written differently, is another value.
    ['iv', "'24 hours'", true],
    ['by', "'\\x0100'", true],
    ['ip', "'10.0.0.1/24'", true],
    ['jb', `'{"k":  1}'`, false],
    ['jb', `'{"k": 1.0}'`, true],
    ['jb', `'{"k": 1, "l": null}'`, true],
    ['jb', "'null'", true],
    ['a', "'{2,1}'", true],
    ['ta', '\'{a,"null"}\'', true],
    ['r', "'empty'", true],
    ['mr', "'{}'", true],
    ['m', '2', true],
    ['p', "'(1,3)'", true],
    ['e', "'sad'", true],
    ['dom', '2', true],
    ['comp', "row(1, 'y')::pair", true],
    ['x', "'<b/>'", true],
    ['bits', "b'1101'", true],
    ['tv', "'a:1'", true],
  ]

  it('are compared the same way in small and large statements', async () => {
    await run(
      'zoo',
      `create type mood as enum ('glad', 'sad'); create domain positive as int check (value > 0); create type pair as (l int, r text);
       create table zoo (${columns}); insert into zoo select i, ${before} from generate_series(1, ${MANY}) i; select akashi_audit.protect('zoo')`,
    )
    for (const [column, value, changed] of changes) {
      const rows = await database.asSuperuser(async (session) => {
        await session.query('begin')
        const [last] = (
          await session.query<{ seq: string }>(
            'select coalesce(max(seq), 0)::text as seq from akashi_audit.audit_logs',
          )
        ).rows
        await session.query(`update zoo set ${column} = ${value}`)
        const found = await session.query<Row>(
          "select * from akashi_audit.audit_logs where table_name = 'zoo' and seq > $1 order by seq",
          [last?.seq],
        )
        await session.query('rollback')
        return found.rows
      })
      expect(rows.length, `${column} = ${value}`).toBe(changed ? MANY : 0)
      const shapes = new Set(
        rows.map(({ old_values, new_values, changed_fields, detail, data_subject }) =>
          JSON.stringify([old_values, { ...new_values, id: 0 }, changed_fields, detail, data_subject]),
        ),
      )
      if (changed) {
        expect([...shapes], `${column} = ${value}`).toHaveLength(1)
        expect(rows[0]?.changed_fields).toEqual([column])
      }
    }
  })

  it('distinguishes records by keys of any type', async () => {
    const key = 'code text, day date, amount numeric(6,2), moment timestamptz, "Part No" varchar'
    const rows = await run(
      'keyed',
      `create table keyed (${key}, n int, primary key (moment, code, "Part No", amount, day)); select akashi_audit.protect('keyed')`,
      `insert into keyed select 'c' || i, '2026-01-01', 1.50, '2026-01-01 00:00+00', 'p"' || i, 0 from generate_series(1, ${MANY}) i`,
      'update keyed set n = 1',
      'delete from keyed',
    )
    expect(rows).toHaveLength(3 * MANY)
    for (const [i, row] of rows.entries()) {
      const n = (i % MANY) + 1
      expect(JSON.parse(row.record_id ?? '')).toEqual([
        '2026-01-01T00:00:00+00:00',
        `c${n}`,
        `p"${n}`,
        1.5,
        '2026-01-01',
      ])
    }
  })

  it('keeps generated columns, and identity', async () => {
    const rows = await run(
      'made',
      `create table made (id int generated always as identity primary key, n int, twice int generated always as (n * 2) stored);
       select akashi_audit.protect('made')`,
      `insert into made (n) select i from generate_series(1, ${MANY}) i`,
      'update made set n = n + 1',
    )
    expect(rows).toHaveLength(2 * MANY)
    for (const row of rows) {
      expect(row.new_values?.['twice']).toBe(2 * Number(row.new_values?.['n']))
      if (row.operation === 'UPDATE') expect(row.changed_fields).toEqual(['n', 'twice'])
    }
  })

  it('omits virtual generated columns', async () => {
    if ((await serverMajor()) < 18) return
    const rows = await run(
      'computed',
      `create table computed (id int primary key, n int, w int generated always as (n * 2) virtual);
       select akashi_audit.protect('computed')`,
      'insert into computed (id, n) values (1, 1)',
      'update computed set n = 5',
    )
    expect(rows.map((row) => row.new_values)).toEqual([
      { id: 1, n: 1 },
      { id: 1, n: 5 },
    ])
  })

  it('handles very wide rows, in columns and in bytes', async () => {
    const wide = Array.from({ length: 800 }, (_, i) => `c${i} int default ${i}`).join(', ')
    const rows = await run(
      ['wide', 'heavy'],
      `create table wide (id int primary key, ${wide}); create table heavy (id int primary key, body text);
       select akashi_audit.protect('wide'), akashi_audit.protect('heavy')`,
      `insert into wide (id) select i from generate_series(1, ${MANY}) i`,
      'update wide set c799 = -1, c0 = -1',
      "insert into heavy values (1, repeat('あ', 5000000))",
      "update heavy set body = body || 'x'",
    )
    const updates = rows.filter((row) => row.table_name === 'wide' && row.operation === 'UPDATE')
    expect(updates).toHaveLength(MANY)
    for (const row of updates) {
      expect(row.old_values).toEqual({ c0: 0, c799: 799 })
      expect(Object.keys(row.new_values ?? {})).toHaveLength(801)
    }
    expect(String(rows.at(-1)?.new_values?.['body'])).toHaveLength(5_000_001)
    expect(String(rows.at(-1)?.old_values?.['body'])).toHaveLength(5_000_000)
  })
})

describe('many rows of one statement', () => {
  it('are paired in one pass, also in a session that so far changed single rows', async () => {
    const rows = await run(
      'growing',
      "create table growing (id int primary key, n int); insert into growing select i, 0 from generate_series(1, 5000) i; select akashi_audit.protect('growing')",
      ...Array.from({ length: 10 }, (_, i) => `update growing set n = n + 1 where id = ${i + 1}`),
      'update growing set n = id',
    )
    // One row was 1 already.
    expect(rows).toHaveLength(10 + 4999)
    for (const row of rows.slice(10)) expect(row.new_values?.['n']).toBe(Number(row.record_id))
  })

  it('may have column names that need quoting, or that the statement uses itself', async () => {
    const names = [
      'r',
      'n',
      'o',
      'o1',
      'n1',
      'place',
      'fields',
      'rows',
      'row_values',
      'old_values',
      "q'",
      'Q"',
    ]
    const quoted = names.map((name) => `"${name.replaceAll('"', '""')}"`)
    const rows = await run(
      'select',
      `create table "select" ("id" int primary key, ${quoted.map((name) => `${name} text`).join(', ')}); select akashi_audit.protect('"select"')`,
      `insert into "select" (id) select i from generate_series(1, ${MANY}) i`,
      `update "select" set ${quoted.map((name) => `${name} = 'x'`).join(', ')}`,
      'delete from "select"',
    )
    expect(rows).toHaveLength(3 * MANY)
    for (const row of rows.filter(({ operation }) => operation === 'UPDATE')) {
      expect(row.changed_fields).toEqual(names.toSorted())
    }
  })

  it('are digested, omitted, ignored and attributed like few rows', async () => {
    const rows = await run(
      'people',
      `create table people (id int primary key, owner text, mail text, pin text, seen int);
       select akashi_audit.protect('people', 'restricted', 'owner', '{"mail": "digest", "pin": "omit"}', array['seen'])`,
      `insert into people select i, 'o', 'm@example.com', 'p', 0 from generate_series(1, ${MANY}) i`,
      'update people set seen = 1',
      "update people set mail = 'n@example.com', pin = 'q', seen = 2",
      "update people set owner = 'other'",
      'delete from people',
    )
    expect(rows).toHaveLength(4 * MANY)
    expect(JSON.stringify(rows.map((row) => [row.old_values, row.new_values]))).not.toMatch(/example|"pin":"/)
    const shapes = new Set(
      rows.map(({ operation, old_values, new_values, changed_fields, data_subject }) =>
        JSON.stringify([
          operation,
          { ...old_values, id: 0 },
          { ...new_values, id: 0 },
          changed_fields,
          data_subject,
        ]),
      ),
    )
    expect(shapes.size).toBe(4)
    const salts = await ask<{ salts: number; rows: number; short: number }>(
      "select count(distinct salt)::int as salts, count(*)::int as rows, count(*) filter (where octet_length(salt) <> 16)::int as short from akashi_audit.audit_logs where table_name = 'people'",
    )
    expect(salts).toEqual([{ salts: 4 * MANY, rows: 4 * MANY, short: 0 }])
  })

  it('are numbered in their order, beyond one block of numbers too, with ids of their own', async () => {
    await run(
      'nobody',
      'create table block (id int primary key)',
      "select akashi_audit.protect('block')",
      'insert into block select i from generate_series(1, 70000) i',
    )
    const [found] = await ask<Record<string, number | boolean>>(
      `select count(*)::int as rows, count(distinct seq)::int as seqs, count(distinct id)::int as ids,
              bool_and(ascends) as ascends, bool_and(substr(id::text, 15, 1) = '7' and substr(id::text, 20, 1) between '8' and 'b') as version_7
       from (select id, seq, record_id::int > lag(record_id::int, 1, 0) over (order by seq) as ascends
             from akashi_audit.audit_logs where table_name = 'block') r`,
    )
    expect(found).toEqual({ rows: 70000, seqs: 70000, ids: 70000, ascends: true, version_7: true })
  })

  it('leave the settings of the session as they were', async () => {
    const settings = await database.asSuperuser(async (session) => {
      await session.query(
        'create table calm (id int primary key, n int); set jit = on; set enable_mergejoin = on',
      )
      await session.query("select akashi_audit.protect('calm')")
      await session.query(
        `begin; insert into calm select i, i from generate_series(1, ${MANY}) i; update calm set n = 0`,
      )
      const read = async () =>
        (
          await session.query(
            "select current_setting('jit') as jit, current_setting('enable_mergejoin') as merge, current_setting('enable_nestloop') as loop, current_setting('search_path') as path",
          )
        ).rows[0]
      const inside = await read()
      await session.query('commit')
      return [inside, await read()]
    })
    const same = { jit: 'on', merge: 'on', loop: 'on', path: 'public' }
    expect(settings).toEqual([same, same])
  })
})

describe('a table that changes', () => {
  it('is recorded under its new name, and both names are reported', async () => {
    await run('shop', "create table shop (id int primary key); select akashi_audit.protect('shop')")
    const rows = await run('store', 'alter table shop rename to store', 'insert into store values (1)')
    expect(said(rows)).toEqual(['INSERT 1'])
    expect(await problems('public.shop')).toContain('the table does not exist')
    expect(await ask("select state from akashi_audit.coverage where table_name = 'store'")).toEqual([
      { state: 'gap' },
    ])
    await run(
      'store',
      "select akashi_audit.protect('store')",
      "select akashi_audit.unprotect_missing('public', 'shop')",
    )
    expect(await problems('public.shop')).toEqual([])
    expect(await problems('public.store')).toEqual([])
    await expect(run('store', "select akashi_audit.unprotect_missing('public', 'store')")).rejects.toThrow()
  })

  it.each([
    [
      'its key',
      'alter table stale rename id to number',
      'insert into stale (number, mail) values (2, $$m$$)',
    ],
    ['a digested column', 'alter table stale rename mail to email', 'insert into stale values (2, $$m$$)'],
    ['the subject', 'alter table stale drop owner', 'delete from stale'],
  ])('is not recorded by what it was before %s changed', async (_, change, write) => {
    await run(
      'stale',
      `drop table if exists stale; create table stale (id int primary key, mail text, owner text); insert into stale values (1, 'm', 'o');
       select akashi_audit.protect('stale', subject => 'owner', columns => '{"mail": "digest"}')`,
    )
    await expect(run('stale', change, write)).rejects.toMatchObject({ code: 'conflict' })
    await expect(run('stale', change, `${write.replace('delete', 'delete')}`)).rejects.toMatchObject({
      hint: expect.stringContaining('protect it again') as unknown,
    })
    await run('stale', change)
    expect(await problems('public.stale')).toHaveLength(1)
    await run('stale', "select akashi_audit.protect('stale')", write)
    expect(await problems('public.stale')).toEqual([])
  })

  it('is recorded with added, dropped and retyped columns within one session', async () => {
    const rows = await run(
      'fluid',
      `create table fluid (id int primary key, a int, b text); insert into fluid select i, i, 'b' from generate_series(1, ${MANY}) i; select akashi_audit.protect('fluid')`,
      'update fluid set a = a + 1',
      'alter table fluid drop a, add c numeric default 1, alter b type varchar(9)',
      "update fluid set b = 'x', c = 2",
      'alter table fluid rename c to "C c"',
      'update fluid set "C c" = 3 where id = 1',
    )
    expect(new Set(rows.map((row) => JSON.stringify(row.changed_fields)))).toEqual(
      new Set(['["a"]', '["b","c"]', '["C c"]']),
    )
    expect(rows).toHaveLength(2 * MANY + 1)
    expect(rows.at(-1)).toMatchObject({ old_values: { 'C c': 2 }, new_values: { id: 1, b: 'x', 'C c': 3 } })
  })

  it('cannot be protected without a key, with a hint', async () => {
    await expect(
      run('keyless', 'create table keyless (id int unique)', "select akashi_audit.protect('keyless')"),
    ).rejects.toMatchObject({ hint: expect.stringContaining('add a primary key first') as unknown })
  })
})
