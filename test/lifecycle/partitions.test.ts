import { expect, test } from 'vitest'
import { applyPartitions, partitionStatus, planPartitions } from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const worker = database.open('worker')

/** A table of its own with a policy; every test has its own table and its own year. */
async function makeTable(name: string, interval: 'day' | 'month', premake: number): Promise<void> {
  await database.asSuperuser(async (session) => {
    await session.query('set role akashi_owner')
    await session.query(
      `create table akashi_lifecycle.${name} (id integer, created_at timestamptz not null, primary key (id, created_at))
       partition by range (created_at)`,
    )
    await session.query(`alter table akashi_lifecycle.${name} enable row level security`)
    await session.query(
      `insert into akashi_lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
       values ('akashi_lifecycle', $1, $2, $3, '90 days', 'archive', '1 year', true)`,
      [name, interval, premake],
    )
  })
}

async function run(statement: string): Promise<void> {
  await database.asSuperuser((session) => session.query(statement))
}

async function rowsOf(name: string, asOf: Date) {
  const rows = await applyPartitions(worker, tester, asOf)
  return rows.filter((row) => row.table === `akashi_lifecycle.${name}`)
}

test('partitions ahead are planned, made, and not made again', async () => {
  await makeTable('ahead', 'day', 3)
  const asOf = new Date('2031-05-30T23:59:59.999Z')
  const planned = (await planPartitions(worker, tester, asOf)).filter(
    (row) => row.table === 'akashi_lifecycle.ahead',
  )
  expect(planned.map((row) => row.partition)).toEqual([
    'ahead_p20310530',
    'ahead_p20310531',
    'ahead_p20310601',
    'ahead_p20310602',
  ])
  expect(planned.map((row) => row.action)).toEqual(Array(4).fill('create'))
  const made = await rowsOf('ahead', asOf)
  expect(made).toEqual(planned.map((row) => ({ ...row, action: 'created' })))
  expect(await applyPartitions(worker, tester, asOf)).toEqual([])
  expect(await planPartitions(worker, tester, asOf)).toEqual([])
})

test('bounds are UTC days and months over leap days and ends of years', async () => {
  await makeTable('leap_days', 'day', 2)
  const days = await rowsOf('leap_days', new Date('2028-02-28T12:00:00Z'))
  expect(days.map((row) => [row.partition, row.from, row.to])).toEqual([
    ['leap_days_p20280228', '2028-02-28T00:00:00.000000Z', '2028-02-29T00:00:00.000000Z'],
    ['leap_days_p20280229', '2028-02-29T00:00:00.000000Z', '2028-03-01T00:00:00.000000Z'],
    ['leap_days_p20280301', '2028-03-01T00:00:00.000000Z', '2028-03-02T00:00:00.000000Z'],
  ])
  await makeTable('leap_months', 'month', 2)
  const months = await rowsOf('leap_months', new Date('2027-12-31T23:00:00Z'))
  expect(months.map((row) => [row.partition, row.to])).toEqual([
    ['leap_months_2027_12', '2028-01-01T00:00:00.000000Z'],
    ['leap_months_2028_01', '2028-02-01T00:00:00.000000Z'],
    ['leap_months_2028_02', '2028-03-01T00:00:00.000000Z'],
  ])
})

test('two appliers at once make each partition once', async () => {
  await makeTable('raced', 'day', 10)
  const asOf = new Date('2032-01-01T00:00:00Z')
  const both = await Promise.all([rowsOf('raced', asOf), rowsOf('raced', asOf)])
  const actions = both.flat().map((row) => row.action)
  expect(actions.filter((action) => action === 'created')).toHaveLength(11)
  expect(actions).not.toContain('failed')
})

test('gaps between irregular partitions are filled', async () => {
  await makeTable('odd', 'day', 9)
  const odd = (name: string, from: string, to: string) =>
    run(
      `create table akashi_lifecycle.odd_${name} partition of akashi_lifecycle.odd for values from ('${from}+00') to ('${to}+00')`,
    )
  await odd('middle', '2033-03-02 06:00', '2033-03-02 18:00')
  await odd('begin', '2033-03-04 00:00', '2033-03-04 18:00:00.5')
  await odd('over', '2033-03-06 12:00', '2033-03-08 01:00')
  const asOf = new Date('2033-03-01T00:00:00Z')
  const planned = (await planPartitions(worker, tester, asOf)).filter(
    (row) => row.table === 'akashi_lifecycle.odd',
  )
  const rows = await rowsOf('odd', asOf)
  expect(rows.map((row) => [row.partition, row.from?.slice(5, 16), row.to?.slice(5, 16)])).toEqual([
    ['odd_p20330301', '03-01T00:00', '03-02T00:00'],
    ['odd_p20330302_000000', '03-02T00:00', '03-02T06:00'],
    ['odd_p20330302_180000', '03-02T18:00', '03-03T00:00'],
    ['odd_p20330303', '03-03T00:00', '03-04T00:00'],
    ['odd_p20330304_180000500000', '03-04T18:00', '03-05T00:00'],
    ['odd_p20330305', '03-05T00:00', '03-06T00:00'],
    ['odd_p20330306_000000', '03-06T00:00', '03-06T12:00'],
    ['odd_p20330308_010000', '03-08T01:00', '03-09T00:00'],
    ['odd_p20330309', '03-09T00:00', '03-10T00:00'],
    ['odd_p20330310', '03-10T00:00', '03-11T00:00'],
  ])
  expect(rows).toEqual(planned.map((row) => ({ ...row, action: 'created' })))
  const status = (await partitionStatus(worker, tester, asOf)).find(
    (row) => row.table === 'akashi_lifecycle.odd',
  )
  expect(status).toMatchObject({ coveredUntil: '2033-03-11T00:00:00.000000Z', alarm: false })
  expect(await rowsOf('odd', asOf)).toEqual([])
})

test('many days ahead are one a day without a gap, over a leap day, in a session whose zone begins summer time', async () => {
  await makeTable('far', 'day', 45)
  await database.asSuperuser(async (session) => {
    await session.query("set timezone = 'America/New_York'")
    await session.query("select akashi_lifecycle.apply_partitions('2028-02-14 23:30:00-05')")
  })
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ days: number; whole: boolean; first: string; last: string; pieces: number }>(
      `select count(*)::integer as days, bool_and(b.upper - b.lower = interval '24 hours') as whole, min(c.relname) as first,
              max(c.relname) as last, (select count(*)::integer from unnest(range_agg(tstzrange(b.lower, b.upper)))) as pieces
       from pg_inherits i join pg_class c on c.oid = i.inhrelid, akashi_lifecycle.partition_bounds(i.inhrelid::regclass) b
       where i.inhparent = 'akashi_lifecycle.far'::regclass`,
    ),
  )
  expect(rows).toEqual([{ days: 46, whole: true, first: 'far_p20280215', last: 'far_p20280331', pieces: 1 }])
  await run(`drop table akashi_lifecycle.far; delete from akashi_lifecycle.policies where table_name = 'far'`)
})

test('a table that cannot be planned is a row with its reason, and the others are made', async () => {
  await makeTable('sound', 'day', 1)
  await run(`create table akashi_lifecycle.unsound (id integer, created_at text not null) partition by list (created_at);
    create table akashi_lifecycle.unsound_one partition of akashi_lifecycle.unsound for values in ('x')`)
  await run(
    `insert into akashi_lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
     values ('akashi_lifecycle', 'unsound', 'day', 3, '90 days', 'archive', '1 year', true)`,
  )
  const rows = await applyPartitions(worker, tester, new Date('2039-01-01T00:00:00Z'))
  expect(rows.filter(({ action }) => action === 'failed')).toMatchObject([
    { table: 'akashi_lifecycle.unsound', message: expect.stringMatching(/not partitioned by range/) },
  ])
  expect(rows.filter(({ table }) => table === 'akashi_lifecycle.sound').map(({ action }) => action)).toEqual([
    'created',
    'created',
  ])
  await run(
    `drop table akashi_lifecycle.unsound; delete from akashi_lifecycle.policies where table_name = 'unsound'`,
  )
})

test('no more partitions are made for old dates than the server has locks for', async () => {
  await makeTable('capped', 'day', 1)
  const made = (days: number) =>
    `select akashi_lifecycle.create_partitions('akashi_lifecycle.capped', '2034-01-01'::timestamptz, '2034-01-01'::timestamptz + ${days - 1} * interval '1 day')`
  const { rows } = await database.asSuperuser((session) =>
    session.query<{
      found: number
      locks: number
    }>(`select akashi_lifecycle.max_partitions('akashi_lifecycle.capped') as found,
            current_setting('max_locks_per_transaction')::bigint * current_setting('max_connections')::bigint as locks`),
  )
  expect(Number(rows[0]?.found)).toBeGreaterThan(0)
  expect(Number(rows[0]?.found)).toBeLessThanOrEqual(Number(rows[0]?.locks) / 2)
  const few = `begin; create or replace function akashi_lifecycle.max_partitions(parent regclass) returns integer
    language sql stable set search_path = pg_catalog, pg_temp as 'select 5'`
  await expect(run(`${few}; ${made(6)}; rollback`)).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringMatching(
      /more than 5 partitions, for which the server has too few locks/,
    ) as unknown,
    hint: expect.stringMatching(/max_locks_per_transaction/) as unknown,
  })
  await run(`${few}; ${made(5)}; rollback`)
})

/** Like {@link makeTable}, as somebody had it: a default partition, guarded, with rows of two days. */
async function adopted(name: string, rowsADay: number): Promise<void> {
  await makeTable(name, 'day', 2)
  await run(`set role akashi_owner;
    alter table akashi_lifecycle.${name} force row level security;
    create policy everybody on akashi_lifecycle.${name} to public using (true);
    grant select on akashi_lifecycle.${name} to akashi_worker;
    create table akashi_lifecycle.${name}_rest partition of akashi_lifecycle.${name} default;
    alter table akashi_lifecycle.${name}_rest enable row level security;
    alter table akashi_lifecycle.${name}_rest force row level security;
    reset role;
    insert into akashi_lifecycle.${name}
      select i, timestamptz '2036-02-28 12:00Z' + (i % 2) * interval '1 day' + i * interval '1 millisecond'
      from generate_series(1, ${2 * rowsADay}) i;
    select akashi_audit.guard('akashi_lifecycle.${name}_rest')`)
}

test('the rows of a default partition move to partitions of their own, and every snapshot sees each row once', async () => {
  const ROWS = 12_000
  await adopted('adopted', ROWS)
  const contentSql =
    'select count(*)::integer as rows, count(distinct id)::integer as ids, sum(id)::text as sum from akashi_lifecycle.adopted'
  const content = async () => (await database.asSuperuser((session) => session.query(contentSql))).rows
  const before = await content()
  expect(before).toMatchObject([{ rows: 2 * ROWS, ids: 2 * ROWS }])
  const plan = (await planPartitions(worker, tester, new Date('2036-02-28T00:00:00Z'))).filter(
    ({ table }) => table === 'akashi_lifecycle.adopted',
  )
  expect(plan[0]).toMatchObject({ action: 'drain', partition: 'adopted_rest', from: null })
  expect(plan[0]?.locks).toMatch(/ACCESS EXCLUSIVE on the table, repeatedly, while 10000 rows are moved/)
  const seen = new Set<string>()
  let running = true
  const reading = (async () => {
    while (running) seen.add(JSON.stringify(await content()))
  })()
  const old = worker.transaction(
    tester,
    async (session) => {
      await session.query('select 1')
      await expect
        .poll(
          async () =>
            (
              await database.asSuperuser((other) =>
                other.query(`select from pg_inherits where inhparent = 'akashi_lifecycle.adopted'::regclass`),
              )
            ).rows.length,
          { timeout: 60_000 },
        )
        .toBeGreaterThan(1)
      seen.add(JSON.stringify((await session.query(contentSql)).rows))
    },
    { isolation: 'repeatable read', readOnly: true, timeoutMs: 60_000 },
  )
  const rows = await rowsOf('adopted', new Date('2036-02-28T00:00:00Z'))
  await old
  running = false
  await reading
  expect([...seen]).toEqual([JSON.stringify(before)])
  expect(rows.map(({ partition, action, message }) => [partition, action, message])).toEqual([
    ['adopted_rest', 'detached', '0 rows of akashi_lifecycle.adopted_rest'],
    ['adopted_p20360228_000000', 'drained', '10000 rows of akashi_lifecycle.adopted_rest'],
    ['adopted_p20360228_120020002000', 'drained', '2000 rows of akashi_lifecycle.adopted_rest'],
    ['adopted_p20360229_000000', 'drained', '10000 rows of akashi_lifecycle.adopted_rest'],
    ['adopted_p20360229_120020001000', 'drained', '2000 rows of akashi_lifecycle.adopted_rest'],
    ['adopted_p20360301', 'created', null],
  ])
  const guards = await database.asSuperuser((session) =>
    session.query(`select from pg_trigger where tgname = 'refuse_change' and tgenabled = 'A'
      and tgrelid in (select inhrelid from pg_inherits where inhparent = 'akashi_lifecycle.adopted'::regclass union select 'akashi_lifecycle.adopted_rest'::regclass)`),
  )
  expect(guards.rows).toHaveLength(6)
})

test('a drain of a table in use changes nothing, reports it, and continues later', async () => {
  await adopted('busy', 10)
  const asOf = new Date('2036-02-28T00:00:00Z')
  await database.asSuperuser((session) =>
    session.transaction(tester, async (held) => {
      await held.query('select count(*) from akashi_lifecycle.busy_rest')
      const rows = await rowsOf('busy', asOf)
      expect(rows.filter(({ action }) => action !== 'failed')).toEqual([])
      expect(rows[0]?.message).toMatch(/lock/)
    }),
  )
  const rows = await rowsOf('busy', asOf)
  expect(rows.map(({ action }) => action).sort()).toEqual(['created', 'detached', 'drained', 'drained'])
})

test('a locked table does not affect others, and gets its partitions once it is unlocked', async () => {
  await makeTable('locked', 'day', 1)
  await makeTable('unlocked', 'day', 1)
  const asOf = new Date('2034-01-01T00:00:00Z')
  await database.asSuperuser((session) =>
    session.transaction(tester, async (held) => {
      await held.query('lock table akashi_lifecycle.locked in share update exclusive mode')
      const rows = await applyPartitions(worker, tester, asOf)
      const actions = (table: string) => rows.filter((row) => row.table === table).map((row) => row.action)
      expect(actions('akashi_lifecycle.locked')).toEqual(['failed', 'failed'])
      expect(actions('akashi_lifecycle.unlocked')).toEqual(['created', 'created'])
      expect(rows.find((row) => row.table === 'akashi_lifecycle.locked')?.message).toContain('lock')
    }),
  )
  const after = await rowsOf('locked', asOf)
  expect(after.map((row) => row.action)).toEqual(['created', 'created'])
})

test('every new partition is guarded, bound by row security and granted to nobody', async () => {
  await applyPartitions(worker, tester)
  const { rows } = await database.asSuperuser((session) =>
    session.query<{
      partition: string
      append_only: boolean
      rls: boolean
      forced: boolean
      guard: string | null
      grantees: string[]
    }>(
      `select c.oid::regclass::text as partition, p.append_only, c.relrowsecurity as rls, c.relforcerowsecurity as forced,
              (select tgenabled from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'refuse_change') as guard,
              array(select distinct a.grantee::regrole::text from aclexplode(c.relacl) a
                    where a.grantee <> c.relowner) as grantees
       from akashi_lifecycle.policies p
       join pg_inherits i on i.inhparent = to_regclass(format('%I.%I', p.schema_name, p.table_name))
       join pg_class c on c.oid = i.inhrelid
       where p.schema_name in ('akashi_audit', 'akashi_security')`,
    ),
  )
  expect(rows.length).toBeGreaterThan(30)
  for (const row of rows) {
    expect(row).toMatchObject({ rls: true, forced: true, guard: row.append_only ? 'A' : null, grantees: [] })
  }
})

test('headroom counts from now without gaps', async () => {
  await makeTable('gap', 'day', 10)
  const asOf = new Date('2035-06-01T00:00:00Z')
  await rowsOf('gap', asOf)
  const status = async (at: Date) =>
    (await partitionStatus(worker, tester, at)).find((row) => row.table === 'akashi_lifecycle.gap')
  expect(await status(asOf)).toMatchObject({ coveredUntil: '2035-06-12T00:00:00.000000Z', alarm: false })
  expect(await status(new Date('2035-06-05T00:00:00Z'))).toMatchObject({
    headroomSeconds: 7 * 86_400,
    alarm: false,
  })
  expect(await status(new Date('2035-06-05T00:00:01Z'))).toMatchObject({ alarm: true })
  expect(await status(new Date('2036-01-01T00:00:00Z'))).toMatchObject({
    coveredUntil: null,
    headroomSeconds: null,
    alarm: true,
  })
  await run('drop table akashi_lifecycle.gap_p20350604')
  expect(await status(asOf)).toMatchObject({ coveredUntil: '2035-06-04T00:00:00.000000Z', alarm: true })
})

test('the tables of the migrations have headroom', async () => {
  await applyPartitions(worker, tester)
  const status = await partitionStatus(worker, tester)
  const ours = status.filter((row) => !row.table.startsWith('akashi_lifecycle.'))
  expect(ours.map((row) => row.table)).toContain('akashi_audit.audit_logs')
  expect(ours.filter((row) => row.alarm)).toEqual([])
})
