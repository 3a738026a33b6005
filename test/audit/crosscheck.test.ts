import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { keepProgress, readProgress } from '../../src/audit/crosscheck/progress.ts'
import {
  checkTable,
  crosscheck,
  crosscheckFindings,
  crosscheckStatus,
  formatStatePosition,
  listGaps,
  parseStatePosition,
  recordBaseline,
  repairCrosscheck,
  settleDiscrepancies,
  signProgressAgain,
} from '../../src/audit/index.ts'
import { openKeyring } from '../../src/keys/index.ts'
import { testCrosscheck } from '../support/crosscheck.ts'
import { testDatabase, tester } from '../support/index.ts'
import { random } from '../support/random.ts'

/** AKASHI_LONG=1 makes as many transactions and bypasses as the design asks for. */
const LONG = process.env['AKASHI_LONG'] === '1'
const TRANSACTIONS = Number(process.env['AKASHI_CROSSCHECK_TRANSACTIONS'] ?? (LONG ? 1_000_000 : 1_000))
const BYPASSES_OF_A_KIND = LONG ? 80 : 1
const LONG_MS = 24 * 3_600_000
/** A discrepancy is an event within this time, on a machine that does nothing else: asked with AKASHI_LONG=1. */
const PROMPT_MS = 5_000

const database = testDatabase()
const check = testCrosscheck(database)
const owner = database.open('owner')
const officer = database.open('security_admin')

const run = (...statements: string[]) =>
  database.asSuperuser(async (session) => {
    for (const statement of statements) await session.query(statement)
  })

async function ask<R>(text: string, values: readonly unknown[] = []): Promise<R[]> {
  return await database.asSuperuser(async (session) => (await session.query<R>(text, values)).rows)
}

afterEach(() => check.settle())

describe('changes that the trail tells', () => {
  beforeAll(() =>
    run(
      `create type mood as enum ('sad', 'glad'); create domain short as text check (length(value) < 100);
       create type place as (x int, "y z" text, at timestamptz)`,
      `create table every_type (
         id int primary key, a bool, b smallint, c bigint, d numeric, e real, f float8, g text, h char(5), i varchar(9), j bytea,
         k date, l timestamp, m timestamptz, n time, o timetz, p interval, q uuid, r inet, s json, t jsonb, u xml, v money, w bit(3),
         x int4range, y tstzrange, z mood, aa short, ab place, ac place[], ad text[], ae numeric[], af timestamptz[], ag json[],
         ah int[], ai point, aj tsvector, ak jsonb[], al float8[], am mood[], gen int generated always as (id * 2) stored)`,
      `create table items (id int primary key, name text, price numeric(12, 3), doc jsonb, long text, note text,
         twice int generated always as (id * 2) stored)`,
      'create table parted (id int, region text, v text, primary key (id, region)) partition by list (region)',
      `create table parted_a partition of parted for values in ('a'); create table parted_b partition of parted for values in ('b');
       create table parted_rest partition of parted default`,
      'create table hidden (id int primary key, secret text, shown text, seen timestamptz)',
      'create table deferred (id int primary key deferrable, v text)',
      `select akashi_audit.protect(t::regclass) from unnest(array['every_type', 'items', 'parted', 'deferred']) t`,
      `select akashi_audit.protect('hidden', columns => '{"secret": "digest"}', ignore => '{seen}')`,
    ),
  )

  it('of values of every type are equal', async () => {
    await run(
      `insert into every_type values (1, true, -5, 9007199254740993, 1.500, 1e-7, 1e300, E'q"uo\\\\te\\n日本é\\u0001', 'ab', 'v', '\\x00ff',
         '0044-03-15 BC', '2026-01-02 03:04:05.6', '2026-01-02 03:04:05.678901+09', '10:00', '10:00+09', '1 year -2 days 03:04:05.5',
         gen_random_uuid(), '10.0.0.0/8', '{"a": 1,   "a": 2}', '{"b": 1.0, "aa": ["x", null, {"y": -0.0}]}', '<a>1</a>', '1.50', '101',
         '[1,5)', '[2026-01-01,)', 'glad', 'short', (1, 'a "b" \\c,', '2026-01-01'), array[(1, null, null)::place, null, (2, '', 'infinity')::place],
         '{a,"b c",NULL,"NULL","","\\"{}"}', '{1.0,NaN,NULL}', '{2026-01-01,infinity}', array['{"a":1}'::json, null], '{{1,2},{3,4}}',
         '(1,2)', 'a b', array['{"x":1}'::jsonb], '{1e20,-0,Infinity,1.5e-10}', '{sad,glad}')`,
      `insert into every_type (id, d, e, f, k, l, m, p, ad, ah, t, g) values
         (2, 'NaN', '-Infinity', '-0', 'infinity', '-infinity', '0001-01-01 BC', '-1 mon', '{}', '[0:1]={1,2}', 'null', ''),
         (3, 'Infinity', 1.17549435e-38, 5e-324, '9999-12-31', '9999-12-31 23:59:59.999999', '9999-01-01', '0', '{NULL}', '{}', '1e10', repeat('long', 9000)),
         (4, 12345678901234567890.12345, 16777216, 123456789012345680000, '2000-01-01', 'epoch', 'epoch', '1.5 sec', null, null, '"s"', E'\\t')`,
      'update every_type set a = not a, b = id',
      'update every_type set g = g where id = 3',
      'update every_type set id = id + 10 where id > 2',
      'delete from every_type where id = 2',
    )
    expect(await check.found()).toEqual([])
  })

  it(`are equal in ${TRANSACTIONS} transactions of every kind`, {
    timeout: LONG ? LONG_MS : 240_000,
  }, async () => {
    const before = await crosscheckStatus(check.worker, tester)
    await database.asSuperuser(async (session) => {
      const next = random(16)
      for (let n = 0; n < TRANSACTIONS; n += 1) {
        for (const statement of transaction(next, n)) await session.query(statement)
      }
    })
    expect(await check.found()).toEqual([])
    const after = await crosscheckStatus(check.worker, tester)
    expect(after.transactions - before.transactions).toBeGreaterThan(TRANSACTIONS / 2)
    for (const table of ['items', 'parted', 'hidden', 'deferred', 'every_type']) {
      const report = await checkTable(owner, check.worker, tester, { schema: 'public', table })
      expect(report).toMatchObject({ withoutVersion: 0, different: 0, missing: 0 })
    }
  })
})

/** One transaction as an application makes them. */
function transaction(next: () => number, n: number): string[] {
  const id = () => Math.floor(next() * 50)
  const insert = () =>
    `insert into items (id, name, price, doc, long) values (${id()}, 'n${n}', ${next() * 100}, '{"n": ${n}, "x": 1.10}', ${next() < 0.2 ? `repeat(md5('${n}'), 500)` : 'null'})
     on conflict (id) do update set name = excluded.name, price = excluded.price`
  const statements: (() => string)[] = [
    insert,
    insert,
    () => `update items set name = 'u${n}' where id < ${id()}`,
    () => `update items set name = name, doc = doc where id = ${id()}`,
    () =>
      `update items set long = (select string_agg(md5(g::text), '') from generate_series(1, 400) g) where id = ${id()}`,
    () => `delete from items where id = ${id()}`,
    () =>
      `update items set id = id + 1000 where id = ${id()} and not exists (select from items where id > 999); update items set id = id - 1000 where id > 999 and not exists (select from items i where i.id = items.id - 1000); delete from items where id > 999`,
    () => `insert into parted values (${id()}, '${'abc'[id() % 3]}', 'v${n}') on conflict do nothing`,
    () =>
      `insert into parted_a values (${id()}, 'a', 'direct') on conflict (id, region) do update set v = 'again${n}'`,
    () =>
      `update parted set region = case region when 'a' then 'b' else 'a' end, v = 'moved${n}' where id = ${id()} and (select count(*) from parted p where p.id = parted.id) = 1`,
    () => `update parted set v = 'u${n}' where id > ${id()}`,
    () => `delete from parted where id = ${id()}`,
    () =>
      `insert into hidden values (${id()}, 's${n}', 'shown', now()) on conflict (id) do update set secret = excluded.secret`,
    () => `update hidden set seen = clock_timestamp() where id < ${id()}`,
    () => `update hidden set shown = shown where id < ${id()}`,
    () =>
      `insert into deferred select ${id()}, 'd' where not exists (select from deferred where id = ${id()}) on conflict do nothing`.replace(
        / on conflict do nothing$/,
        ' and false',
      ),
    () => `update deferred set v = 'd${n}'`,
    () =>
      `insert into items (id, name) select g, 'many' from generate_series(100, 180) g on conflict (id) do update set note = 'n${n}'`,
    () => `merge into items i using (values (${id()}), (${id() + 100})) s (id) on i.id = s.id when matched and i.id > 20 then delete
           when matched then update set name = 'merged${n}' when not matched then insert (id, name) values (s.id, 'merged')`,
  ]
  const some = () => (statements[Math.floor(next() * statements.length)] ?? insert)()
  const kind = next()
  if (kind < 0.55) return [some()]
  if (kind < 0.7) return ['begin', some(), some(), some(), 'commit']
  if (kind < 0.8)
    return [
      'begin',
      some(),
      'savepoint a',
      some(),
      'rollback to a',
      some(),
      'savepoint b',
      some(),
      'release b',
      'commit',
    ]
  if (kind < 0.86) return ['begin', some(), some(), 'rollback']
  if (kind < 0.92)
    return [
      'begin',
      some(),
      some(),
      `prepare transaction 't${n}'`,
      next() < 0.5 ? `commit prepared 't${n}'` : `rollback prepared 't${n}'`,
    ]
  if (kind < 0.95) return [`truncate ${['items', 'parted', 'parted_a', 'hidden'][Math.floor(next() * 4)]}`]
  if (kind < 0.97)
    return [
      `alter table items add column c${n} int default 7`,
      some(),
      `update items set c${n} = 8`,
      `alter table items drop column c${n}`,
    ]
  return ['begin', 'delete from items', some(), insert(), 'commit']
}

interface Bypass {
  readonly name: string
  /** Of the table `victim`, or of its partitioned neighbour. */
  readonly statements: (n: number) => string[]
  /** Where the log does not carry it. */
  readonly named?: RegExp
  readonly undo?: readonly string[]
}

const off = (table: string, statement: string) => [
  'begin',
  `alter table ${table} disable trigger user`,
  statement,
  `alter table ${table} enable trigger user`,
  ...['insert', 'update', 'delete', 'truncate'].map(
    (event) => `alter table ${table} enable always trigger akashi_audit_${event}`,
  ),
  'commit',
]

const bypasses: readonly Bypass[] = [
  {
    name: 'an UPDATE with its trigger disabled',
    statements: (n) => off('victim', `update victim set v = 'f${n}' where id = ${n}`),
  },
  {
    name: 'a DELETE with its trigger disabled',
    statements: (n) => off('victim', `delete from victim where id = ${n}`),
  },
  {
    name: 'an INSERT with its trigger disabled',
    statements: (n) => off('victim', `insert into victim values (${n + 100_000}, 'f')`),
  },
  { name: 'a TRUNCATE with its trigger disabled', statements: () => off('emptied', 'truncate emptied') },
  {
    name: 'a change of the key',
    statements: (n) => off('victim', `update victim set id = id + 500000 where id = ${n}`),
  },
  {
    name: 'COPY with its trigger disabled',
    statements: (n) => off('victim', `insert into victim select ${n} + 200000, 'copied' returning id`),
  },
  {
    name: 'a trigger dropped for a moment',
    statements: (n) => [
      'begin',
      'create temp table kept on commit drop as select pg_get_triggerdef(oid) as d from pg_trigger where tgrelid = $$victim$$::regclass and tgname = $$akashi_audit_update$$',
      'drop trigger akashi_audit_update on victim',
      `update victim set v = 'd${n}' where id = ${n}`,
      'do $do$ begin execute (select d from kept); end $do$',
      'alter table victim enable always trigger akashi_audit_update',
      'commit',
    ],
  },
  {
    name: 'a rule on the trail',
    statements: (n) => [
      'begin',
      "create rule nothing as on insert to akashi_audit.audit_logs where new.table_name = 'victim' do instead nothing",
      `update victim set v = 'r${n}' where id = ${n}`,
      'drop rule nothing on akashi_audit.audit_logs',
      'commit',
    ],
  },
  {
    name: 'a replaced function',
    statements: (n) => [
      'begin',
      'create temp table source on commit drop as select pg_get_functiondef($$akashi_audit.log_changes()$$::regprocedure) as d',
      "create or replace function akashi_audit.log_changes() returns trigger language plpgsql as 'begin return null; end'",
      `update victim set v = 'x${n}' where id = ${n}`,
      'do $do$ begin execute (select d from source); end $do$',
      'commit',
    ],
  },
  {
    name: 'a trail that is told other values',
    statements: (n) => [
      'begin',
      `create function lie() returns trigger language plpgsql as $f$ begin if new.table_name = 'victim' then
         new.new_values := new.new_values || '{"v": "told"}'; end if; return new; end $f$`,
      'create trigger aa_lie before insert on akashi_audit.audit_logs for each row execute function lie()',
      'alter table akashi_audit.audit_logs enable always trigger aa_lie',
      `update victim set v = 'l${n}' where id = ${n}`,
      'drop function lie cascade',
      'commit',
    ],
  },
  {
    name: 'a forged row of the trail',
    statements: (n) => [
      `insert into akashi_audit.audit_logs (context_verified, action, schema_name, table_name, operation, record_id, new_values)
       values (false, 'insert', 'public', 'victim', 'INSERT', '${n + 700_000}', '{"id": ${n + 700_000}, "v": "x"}')`,
    ],
  },
  {
    name: 'a row of the trail that is removed at once',
    statements: (n) => [
      'begin',
      `update victim set v = 'g${n}' where id = ${n}`,
      'create temp table part on commit drop as select tableoid::regclass as p, id from akashi_audit.audit_logs where xid = pg_current_xact_id()',
      "do $do$ begin execute format('alter table %s disable trigger refuse_change', (select p from part)); execute format('delete from %s where id = %L', (select p from part), (select id from part)); execute format('alter table %s enable always trigger refuse_change', (select p from part)); end $do$",
      'commit',
    ],
  },
  {
    name: 'a partition with its trigger disabled',
    statements: (n) => off('sales_a', `insert into sales_a values (${n}, 'a', 'f')`),
  },
  {
    name: 'the parent of a partition that alone is protected',
    statements: (n) => [`insert into outer_parent values (${n}, 1)`],
  },
  {
    name: 'the parent of a table that inherits',
    statements: (n) => [
      `insert into heir values (${n}, 'h')`,
      `update elder set v = 'e${n}' where id = ${n}`,
    ],
  },
  {
    name: 'a loss that is allowed',
    statements: (n) => [
      'begin',
      'revoke insert on akashi_audit.audit_logs from akashi_owner',
      `insert into lenient values (${n}, 'x')`,
      'grant insert on akashi_audit.audit_logs to akashi_owner',
      'commit',
    ],
  },
  {
    name: 'a type rewritten',
    statements: (n) => [`alter table retyped alter column v type text using 'rewritten${n}'`],
    named: /retyped 1 differs from the trail: v/,
  },
  {
    name: 'an enum value renamed',
    statements: (n) => [
      `do $do$ begin execute format('alter type color rename value %L to %L', (select enumlabel from pg_enum where enumtypid = 'color'::regtype order by enumsortorder limit 1), 'color${n}'); end $do$`,
    ],
    named: /colored 1 differs from the trail: c/,
  },
  {
    name: 'a table taken out of the publication',
    statements: () => ['alter publication akashi_crosscheck drop table unpublished'],
    named: /unpublished: the publication akashi_crosscheck does not deliver all of it/,
    undo: ["select akashi_audit.protect('unpublished')"],
  },
  {
    name: 'columns that exchange their names',
    statements: () => [
      'begin',
      'alter table exchanged rename a to c',
      'alter table exchanged rename b to a',
      'alter table exchanged rename c to b',
      'commit',
    ],
    named: /exchanged 1 differs from the trail: b, a/,
  },
  {
    name: 'a column dropped, and added again with another default',
    statements: () => [
      'begin',
      'alter table regrown drop column v',
      "alter table regrown add column v text default 'forged'",
      'commit',
    ],
    named: /regrown 1 differs from the trail: v/,
  },
  {
    name: 'a name taken up again that was given up before',
    statements: () => [
      'alter table renamed rename v to kept',
      'select pg_sleep(4)',
      'alter table renamed rename w to v',
    ],
    named: /renamed 1 differs from the trail: v/,
  },
  {
    name: 'a rewrite behind a TRUNCATE that is recorded',
    statements: () => [
      'begin',
      'truncate refilled',
      "insert into refilled values (1, 'genuine')",
      "alter table refilled alter column v type text using 'forged'",
      'commit',
    ],
    named: /refilled 1 differs from the trail: v/,
  },
  {
    name: 'a rewrite with what is kept of the catalog',
    statements: () => [
      'begin',
      "alter table retraced alter column v type text using 'forged'",
      "select akashi_audit.keep_traces('retraced'::regclass)",
      'commit',
    ],
    named: /retraced 1 differs from the trail: v/,
  },
  {
    name: 'a transaction that is too large to be compared',
    statements: () => [
      'begin',
      "insert into bulky select g, repeat('long', 250000) from generate_series(1, 70) g",
      ...off('victim', "update victim set v = 'hidden' where id = 4500").slice(1, -1),
      'commit',
    ],
    named: /victim 4500 differs from the trail: v/,
  },
  {
    name: 'a partition set UNLOGGED',
    statements: () => ['alter table sales_b set unlogged'],
    named: /sales: its partition public\.sales_b is unlogged/,
    undo: ['alter table sales_b set logged'],
  },
  {
    name: 'a partition that is detached, changed and attached again in one transaction',
    statements: () => [
      'begin',
      'alter table regions detach partition regions_a',
      ...off('regions_a', "update regions_a set v = 'forged'").slice(1, -1),
      "alter table regions attach partition regions_a for values in ('a')",
      'commit',
    ],
    named: /regions_a \[1, "a"\] differs from the trail: v/,
  },
  {
    name: 'a foreign table as a partition',
    statements: () => [
      'alter table regions drop constraint regions_pkey',
      "create foreign table regions_f partition of regions for values in ('f') server nowhere",
    ],
    named: /regions: its partition public\.regions_f is a foreign table/,
    undo: ['drop foreign table regions_f'],
  },
  {
    name: 'a table that inherits',
    statements: () => [
      'create table added () inherits (exchanged)',
      "insert into added values (7, 'a', 'b')",
    ],
    named: /exchanged: the table public\.added inherits from it/,
    undo: ['drop table added'],
  },
  {
    name: 'an earlier value in a transaction that is dated back',
    statements: (n) => [
      'begin',
      `insert into victim values (${n + 900_000}, 'one')`,
      'commit',
      'begin',
      `update victim set v = 'two' where id = ${n + 900_000}`,
      'commit',
      'begin',
      "select pg_replication_origin_create('elsewhere')",
      "select pg_replication_origin_session_setup('elsewhere')",
      `select pg_replication_origin_xact_setup('0/1', (select created_at from akashi_audit.audit_logs where record_id = '${n + 900_000}' and operation = 'INSERT'))`,
      ...off('victim', `update victim set v = 'one' where id = ${n + 900_000}`).slice(1),
      'select pg_replication_origin_session_reset()',
      "select pg_replication_origin_drop('elsewhere')",
    ],
  },
]

describe('changes past the trail', () => {
  beforeAll(() =>
    run(
      'create table victim (id int primary key, v text); create table emptied (id int primary key)',
      `create table sales (id int, region text, v text, primary key (id, region)) partition by list (region);
       create table sales_a partition of sales for values in ('a'); create table sales_b partition of sales for values in ('b')`,
      `create table regions (id int, region text, v text, primary key (id, region)) partition by list (region);
       create table regions_a partition of regions for values in ('a');
       create foreign data wrapper nowhere; create server nowhere foreign data wrapper nowhere`,
      `create table outer_parent (id int, n int, primary key (id, n)) partition by range (n);
       create table inner_part partition of outer_parent for values from (0) to (10)`,
      'create table elder (id int primary key, v text); create table heir (primary key (id)) inherits (elder)',
      'create table lenient (id int primary key, v text)',
      "create table retyped (id int primary key, v text); create type color as enum ('red', 'blue'); create table colored (id int primary key, c color)",
      'create table unpublished (id int primary key)',
      `create table exchanged (id int primary key, a text, b text); create table regrown (id int primary key, v text);
       create table renamed (id int primary key, v text, w text); create table refilled (id int primary key, v text);
       create table retraced (id int primary key, v text); create table bulky (id int primary key, v text)`,
      `select akashi_audit.protect(t::regclass) from unnest(array['victim', 'emptied', 'sales', 'regions', 'inner_part', 'heir', 'retyped', 'colored', 'unpublished',
         'exchanged', 'regrown', 'renamed', 'refilled', 'retraced', 'bulky']) t`,
      "select akashi_audit.protect('lenient', on_failure => 'record_loss')",
      "insert into victim select g, 'v' from generate_series(1, 5000) g",
      "insert into regions values (1, 'a', 'genuine')",
      "insert into retyped values (1, 'genuine'); insert into colored values (1, 'red')",
      `insert into exchanged values (1, 'a', 'b'); insert into regrown values (1, 'genuine'); insert into renamed values (1, 'v', 'w');
       insert into retraced values (1, 'genuine')`,
    ),
  )

  let place = 0
  it.each(bypasses)(
    '$name',
    { timeout: LONG ? LONG_MS : 120_000 },
    async ({ statements, named, undo = [] }) => {
      for (let n = 0; n < (named === undefined ? BYPASSES_OF_A_KIND : 1); n += 1) {
        place += 1
        const asked = statements(place)
        const [{ now } = { now: '' }] = await ask<{ now: string }>('select clock_timestamp()::text as now')
        await run(...(asked.some((each) => each === 'begin') ? [asked.join('; ')] : asked))
        if (named !== undefined) {
          await expect
            .poll(async () => (await check.found()).map(({ detail }) => detail).join('\n'), {
              timeout: 60_000,
            })
            .toMatch(named)
          await run(...undo)
          continue
        }
        const found = await check.found()
        expect(found, statements(place).join('; ')).not.toEqual([])
        const events = await ask<{ late: number; login: string }>(
          `select extract(epoch from created_at - $1::timestamptz)::float8 * 1000 as late, event_details ->> 'login' as login
         from akashi_security.security_events where event_type = 'crosscheck_discrepancy' and severity = 'critical' and created_at > $1::timestamptz`,
          [now],
        )
        expect(events.length).toBe(found.length)
        for (const { late, login } of events) {
          if (LONG) expect(late).toBeLessThan(PROMPT_MS)
          expect(['unknown', 'postgres']).toContain(login)
        }
        await check.settle()
      }
    },
  )

  it('is named by transaction, table, operation and key', async () => {
    await run(
      ...off('victim', "update victim set v = 'named' where id = 4000").slice(0, 0),
      off('victim', "update victim set v = 'named' where id = 4000").join('; '),
    )
    expect(await check.found()).toMatchObject([
      {
        kind: 'unrecorded',
        table: 'public.victim',
        operation: 'UPDATE',
        recordId: '4000',
        login: 'unknown',
        xid: expect.stringMatching(/^\d+$/),
      },
    ])
    expect((await crosscheckFindings(check.worker, tester)).problems).toHaveLength(1)
    expect(await settleDiscrepancies(officer, tester, 'it was I')).toBe(1)
    expect((await crosscheckFindings(check.worker, tester)).problems).toEqual([])
    await expect(settleDiscrepancies(check.worker, tester, 'not mine to say')).rejects.toMatchObject({
      code: 'forbidden',
    })
  })

  it('cannot be taken out of the record', async () => {
    for (const table of ['crosscheck_discrepancies', 'crosscheck_gaps']) {
      await expect(run(`delete from akashi_audit.${table}`)).rejects.toMatchObject({
        message: expect.stringContaining('refused'),
      })
    }
    await expect(run("update akashi_audit.crosscheck_discrepancies set detail = 'nothing'")).rejects.toThrow(
      /not be changed|conflict/,
    )
  })
})

describe('what was not compared', () => {
  it('is a gap when the slot was dropped, and when it was made anew', async () => {
    for (const again of [false, true]) {
      await check.stop()
      await ask(
        'select pg_terminate_backend(active_pid) from pg_replication_slots where active and database = current_database()',
      )
      await expect
        .poll(() => ask('select from pg_replication_slots where active and database = current_database()'))
        .toEqual([])
      const [slot] = await ask<{ name: string }>(
        'select slot_name as name from pg_replication_slots where database = current_database()',
      )
      await ask('select pg_drop_replication_slot($1)', [slot?.name])
      await run(off('victim', "update victim set v = 'unseen' where id = 4001").join('; '))
      if (again) await ask("select pg_create_logical_replication_slot($1, 'pgoutput')", [slot?.name])
      check.start()
      expect(await check.found()).toEqual([])
      await expect
        .poll(async () => (await listGaps(check.worker, tester))[0])
        .toMatchObject({
          cause: 'slot_lost',
          endedAt: expect.any(String),
          startLsn: expect.any(String),
        })
      expect((await crosscheckFindings(check.worker, tester)).notes.join('\n')).toContain('not compared from')
      // The trail has another version than the table.
      const report = await checkTable(owner, check.worker, tester, { schema: 'public', table: 'victim' })
      expect(report.different).toBeGreaterThan(0)
      await run("update victim set v = 'seen again' where id = 4001")
      await check.settle()
    }
  })

  const ALTERATIONS = [
    ['tables left out', "update akashi_audit.crosscheck_state set protections = '[]'"],
    [
      'a later position',
      'update akashi_audit.crosscheck_state set compared_lsn = pg_current_wal_insert_lsn()',
    ],
    [
      'all of it removed',
      `begin; alter table akashi_audit.crosscheck_state disable trigger refuse_change; delete from akashi_audit.crosscheck_state;
       alter table akashi_audit.crosscheck_state enable always trigger refuse_change; commit`,
    ],
  ] as const
  it.each(ALTERATIONS)(
    'is a gap when somebody alters what is kept of the progress: %s',
    async (_, statement) => {
      await check.stop()
      await run(statement)
      check.start()
      expect(await check.found()).toEqual([])
      await expect
        .poll(async () => (await listGaps(check.worker, tester))[0])
        .toMatchObject({ cause: 'state_altered', endedAt: expect.any(String), startLsn: null })
      await check.settle()
      await run(off('victim', "update victim set v = v || '.' where id = 4002").join('; '))
      expect((await check.found()).map(({ kind }) => kind)).toEqual(['unrecorded'])
    },
  )

  it('goes on after its key was replaced, which then signs no state any more', async () => {
    const former = await mkdtemp(join(tmpdir(), 'akashi-former-'))
    await cp(check.keys, join(former, 'keys'), { recursive: true })
    const leaked = await openKeyring(`file:${join(former, 'keys')}`)
    try {
      const gaps = async () => (await listGaps(check.worker, tester)).length
      const before = await gaps()
      await check.stop()
      await check.keyring.rotate('checkpoint')
      expect(await signProgressAgain(check.worker, tester, check.keyring)).toBe(true)
      check.start()
      expect(await check.found()).toEqual([])
      expect(await gaps()).toBe(before)
      await check.stop()
      await check.worker.transaction(tester, async (session) => {
        const state = await readProgress(session, leaked)
        if (state === null) throw new Error('there is no state')
        await keepProgress(session, leaked, { ...state, protections: [] }, { transactions: 0, changes: 0 })
      })
      check.start()
      expect(await check.found()).toEqual([])
      await expect
        .poll(async () => (await listGaps(check.worker, tester))[0])
        .toMatchObject({ cause: 'state_altered', endedAt: expect.any(String), startLsn: null })
    } finally {
      await leaked.close()
      await rm(former, { recursive: true, force: true })
    }
  })

  it('keeps its progress from being removed', async () => {
    for (const statement of [
      'delete from akashi_audit.crosscheck_state',
      'truncate akashi_audit.crosscheck_state',
    ])
      await expect(run(statement)).rejects.toMatchObject({ message: expect.stringContaining('refused') })
  })

  it('is repaired after the publication and a table of it were dropped', async () => {
    const source = database.open('backup')
    const repaired = () => repairCrosscheck(source, owner, check.worker, tester)
    await run(
      'create table mended (id int primary key, v text)',
      "select akashi_audit.protect('mended')",
      "insert into mended select g, 'v' from generate_series(1, 10) g",
    )
    expect(await repaired()).toEqual([])
    await run(
      "alter publication akashi_crosscheck set (publish = 'insert')",
      'alter publication akashi_crosscheck set table only mended (id)',
    )
    const wrong = await repaired()
    expect(wrong[0]).toBe('the options of the publication were altered')
    expect(wrong).toContain('the publication did not deliver all of public.mended')
    expect(wrong).toContain('the publication did not deliver all of akashi_audit.audit_logs')
    await check.found()
    await run('drop publication akashi_crosscheck')
    expect((await repaired())[0]).toBe('the publication was dropped')
    expect(await repaired()).toEqual([])
    await expect
      .poll(async () => (await listGaps(check.worker, tester))[0], { timeout: 30_000 })
      .toMatchObject({ cause: 'publication_altered', endedAt: expect.any(String) })
    await check.found()
    await check.settle()
    await run(off('mended', "update mended set v = 'seen again' where id = 5").join('; '))
    expect((await check.found()).map(({ kind }) => kind)).toEqual(['unrecorded'])
  })

  it('ends when it is stopped while it begins', async () => {
    await check.stop()
    const source = { url: database.url('backup'), database: database.open('backup') }
    const ignore = () => undefined
    const log = { debug: ignore, info: ignore, warn: ignore, error: ignore }
    const signal = AbortSignal.abort()
    await crosscheck({
      source,
      worker: check.worker,
      keyring: check.keyring,
      actor: tester,
      signal,
      log,
      checkState: async () => undefined,
    })
    check.start()
    expect(await check.found()).toEqual([])
  })

  it('names the login of a transaction that took some seconds', async () => {
    await run(
      [
        ...off('mended', "update mended set v = 'slowly' where id = 6").slice(0, -1),
        'select pg_sleep(4)',
        'commit',
      ].join('; '),
    )
    const [found] = await check.found()
    expect(found?.login).toBe((await ask<{ login: string }>('select session_user as login'))[0]?.login)
  })

  it('is a gap while it is switched off', async () => {
    await run("update akashi_lifecycle.settings set value = 'false' where key = 'crosscheck.enabled'")
    await expect
      .poll(async () => (await crosscheckStatus(check.worker, tester)).state, { timeout: 30_000 })
      .toBe('off')
    await expect
      .poll(async () => (await listGaps(check.worker, tester))[0])
      .toMatchObject({ cause: 'off', endedAt: null })
    await run("update akashi_lifecycle.settings set value = 'true' where key = 'crosscheck.enabled'")
    await expect
      .poll(async () => (await listGaps(check.worker, tester))[0]?.endedAt, { timeout: 30_000 })
      .not.toBeNull()
    expect(await check.found()).toEqual([])
  })
})

describe('rows from before the protection', () => {
  it('are compared once a baseline was recorded', async () => {
    await run(
      'create table older (id int, k text, v text, primary key (id, k))',
      "insert into older select g, 'k' || g, 'v' from generate_series(1, 2500) g",
      "select akashi_audit.protect('older')",
    )
    const table = { schema: 'public', table: 'older' }
    expect(await checkTable(owner, check.worker, tester, table)).toMatchObject({
      rows: 2500,
      withoutVersion: 2500,
    })
    await recordBaseline(owner, 'older')
    expect(await checkTable(owner, check.worker, tester, table)).toMatchObject({
      withoutVersion: 0,
      different: 0,
      missing: 0,
    })
    await run('update older set v = v where id < 100')
    expect(await check.found()).toEqual([])
    await run(
      off(
        'older',
        "update older set v = 'f' where id = 7; delete from older where id = 8; insert into older values (0, 'z', '')",
      ).join('; '),
    )
    expect(await checkTable(owner, check.worker, tester, table)).toMatchObject({ different: 2, missing: 1 })
    expect((await check.found()).map(({ kind }) => kind).toSorted()).toEqual([
      'state',
      'state',
      'state',
      'unrecorded',
      'unrecorded',
      'unrecorded',
    ])
  })
})

describe('a comparison of rows', () => {
  const compare = async (table: string) => {
    await checkTable(owner, check.worker, tester, { schema: 'public', table })
    const found = await check.found()
    await check.settle()
    return found.filter(({ kind }) => kind === 'state').map(({ detail }) => detail)
  }

  it('finds a row that was put past the indexes of its table', async () => {
    await run(
      'create table unindexed (id int primary key, v text)',
      "select akashi_audit.protect('unindexed')",
      "insert into unindexed select g, 'v' from generate_series(1, 1200) g",
      ...off(
        'unindexed',
        `update pg_index set indisready = false, indisvalid = false where indrelid = 'unindexed'::regclass;
         insert into unindexed values (5000, 'forged');
         update pg_index set indisready = true, indisvalid = true where indrelid = 'unindexed'::regclass`,
      ),
    )
    expect(await compare('unindexed')).toContainEqual(
      expect.stringContaining('public.unindexed has 1201 rows and the index of its key 1200'),
    )
  })

  it('finds a row that a check hides which was never checked', async () => {
    const setting = (value: string) =>
      `do $do$ begin execute format('alter database %I set constraint_exclusion = ${value}', current_database()); end $do$`
    await run(
      'create table contradicted (id int primary key, v text)',
      "select akashi_audit.protect('contradicted')",
      "insert into contradicted select g, 'v' from generate_series(1, 1200) g",
      ...off('contradicted', "update contradicted set v = 'forged' where id = 501"),
      'alter table contradicted add constraint few check (id <= 500) not valid',
      "update pg_constraint set convalidated = true where conname = 'few'",
      setting('on'),
    )
    try {
      expect(await compare('contradicted')).toEqual(['public.contradicted 501 differs from the trail: v'])
    } finally {
      await run(setting('partition'))
    }
  })

  it('finds a column that is computed in the place of the one that was recorded', async () => {
    const [server] = await ask<{ version: number }>(
      "select current_setting('server_version_num')::integer as version",
    )
    if ((server?.version ?? 0) < 180_000) return
    await run(
      'create table computed (id int primary key, v text)',
      "select akashi_audit.protect('computed')",
      "insert into computed values (1, 'true')",
      'begin',
      'alter table computed drop column v',
      "alter table computed add column v text generated always as ('forged') virtual",
      'commit',
    )
    expect(await compare('computed')).toEqual(['public.computed 1 differs from the trail: v'])
  })
})

describe('a comparison of wide rows', () => {
  const MEBIBYTE = 1_048_576
  it('reads digests of long values, and rows that differ a few at a time', async () => {
    // One type is shown by the server, the other only by the program.
    for (const [name, type] of [
      ['wide', 'text'],
      ['wide_typed', 'txid_snapshot'],
    ] as const) {
      await run(
        `create table ${name} (id int primary key, v text, other ${type})`,
        `select akashi_audit.protect('${name}')`,
        `insert into ${name} (id, v) select g, repeat('x', ${MEBIBYTE}) from generate_series(1, 40) g`,
        ...off(name, `update ${name} set v = v || 'y' where id > 38`),
      )
      let largest = 0
      const measured: typeof owner = {
        ...owner,
        direct: (work, options) =>
          owner.direct(
            (session) =>
              work({
                ...session,
                query: async <R>(text: string, values?: readonly unknown[]) => {
                  const result = await session.query<R>(text, values)
                  largest = Math.max(largest, JSON.stringify(result.rows, printed).length)
                  return result
                },
              }),
            options,
          ),
      }
      expect(
        await checkTable(measured, check.worker, tester, { schema: 'public', table: name }),
      ).toMatchObject({ rows: 40, different: 2, missing: 0 })
      // Twice as many bytes are of one group of rows that differ.
      expect(largest).toBeLessThan(20 * MEBIBYTE)
      await check.settle()
    }
  })
})

const printed = (_: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)

describe('a comparison of rows that was stopped', () => {
  it('goes on behind what it had compared, and misses nothing', async () => {
    await run(
      "create domain code as text check (value <> '')",
      'create table many (place code, n int, v numeric, kept text, seen int, primary key (place, n))',
      `select akashi_audit.protect('many', columns => '{"kept": "digest"}', ignore => '{seen}')`,
      "insert into many select 'p', g, g + 0.50, 'k', 0 from generate_series(1, 12000) g",
      'alter table many add extra int',
      'update many set seen = 1 where n = 3',
      'update many set n = 20000 where n = 12000',
      off(
        'many',
        'update many set v = v + 0.00000 where n = 11000; update many set v = 0 where n = 11500; delete from many where n = 5',
      ).join('; '),
    )
    const table = { schema: 'public', table: 'many' }
    const stopping = new AbortController()
    const positions: string[] = []
    const stopped = checkTable(owner, check.worker, tester, table, {
      signal: stopping.signal,
      onBatch: (position) => {
        positions.push(formatStatePosition({ ...table, ...position }))
        stopping.abort()
      },
    })
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' })
    const from = parseStatePosition(positions[0] ?? '')
    expect(from).toMatchObject({ ...table, phase: 'rows', after: ['p', '501'] })
    expect(await checkTable(owner, check.worker, tester, table, { from })).toMatchObject({
      rows: 11499,
      different: 2,
      missing: 1,
    })
    expect(() => parseStatePosition('x')).toThrow(/is not a position/)
  })
})

describe('the replica identity', () => {
  it('is FULL where the key does not tell, and as before once the protection ends', async () => {
    const identity = async () =>
      (
        await ask<{ identity: string }>(
          "select relreplident::text as identity from pg_class where relname = 'unkeyed'",
        )
      )[0]?.identity
    await run(
      'create table unkeyed (id int primary key deferrable, v text)',
      'alter table unkeyed replica identity nothing',
    )
    await run("select akashi_audit.protect('unkeyed')")
    expect(await identity()).toBe('f')
    await run(
      "insert into unkeyed values (1, 'a')",
      "update unkeyed set v = 'b'",
      "update unkeyed set v = 'b'",
      'delete from unkeyed',
    )
    expect(await check.found()).toEqual([])
    await run("select akashi_audit.unprotect('unkeyed')")
    expect(await identity()).toBe('n')
  })
})
