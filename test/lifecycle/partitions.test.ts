import { expect, test } from 'vitest'
import { applyPartitions, partitionStatus, planPartitions } from '../../src/lifecycle/index.ts'
import { testDatabase } from '../support/index.ts'

const database = testDatabase()
const worker = database.open('worker')

/** A table of its own with a policy; every test has its own table and its own year. */
async function makeTable(name: string, interval: 'day' | 'month', premake: number): Promise<void> {
  await database.asSuperuser(async (session) => {
    await session.query('set role akashi_owner')
    await session.query(
      `create table lifecycle.${name} (id integer, created_at timestamptz not null, primary key (id, created_at))
       partition by range (created_at)`,
    )
    await session.query(`alter table lifecycle.${name} enable row level security`)
    await session.query(
      `insert into lifecycle.policies (schema_name, table_name, interval, premake, hot_retention, at_expiry, total_retention, append_only)
       values ('lifecycle', $1, $2, $3, '90 days', 'archive', '1 year', true)`,
      [name, interval, premake],
    )
  })
}

async function run(statement: string): Promise<void> {
  await database.asSuperuser((session) => session.query(statement))
}

async function rowsOf(name: string, asOf: Date) {
  const rows = await applyPartitions(worker, asOf)
  return rows.filter((row) => row.table === `lifecycle.${name}`)
}

test('partitions ahead are planned, made, and not made again', async () => {
  await makeTable('ahead', 'day', 3)
  const asOf = new Date('2031-05-30T23:59:59.999Z')
  const planned = (await planPartitions(worker, asOf)).filter((row) => row.table === 'lifecycle.ahead')
  expect(planned.map((row) => row.partition)).toEqual([
    'ahead_p20310530',
    'ahead_p20310531',
    'ahead_p20310601',
    'ahead_p20310602',
  ])
  expect(planned.map((row) => row.action)).toEqual(Array(4).fill('create'))
  const made = await rowsOf('ahead', asOf)
  expect(made).toEqual(planned.map((row) => ({ ...row, action: 'created' })))
  expect(await applyPartitions(worker, asOf)).toEqual([])
  expect(await planPartitions(worker, asOf)).toEqual([])
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

test('a partition with odd bounds fails its day alone and rings the alarm', async () => {
  await makeTable('odd', 'day', 4)
  await run(
    `create table lifecycle.odd_one partition of lifecycle.odd
     for values from ('2033-03-02 06:00+00') to ('2033-03-02 18:00+00')`,
  )
  const asOf = new Date('2033-03-01T00:00:00Z')
  const rows = await rowsOf('odd', asOf)
  expect(rows.map((row) => [row.partition, row.action])).toEqual([
    ['odd_p20330301', 'created'],
    ['odd_p20330302', 'failed'],
    ['odd_p20330303', 'created'],
    ['odd_p20330304', 'created'],
    ['odd_p20330305', 'created'],
  ])
  expect(rows[1]?.message).toContain('odd_one')
  const status = (await partitionStatus(worker, asOf)).find((row) => row.table === 'lifecycle.odd')
  expect(status).toMatchObject({
    partitions: 5,
    coveredUntil: '2033-03-02T00:00:00.000000Z',
    headroomSeconds: 86_400,
    alarm: true,
  })
  await run('drop table lifecycle.odd cascade')
  await run(`delete from lifecycle.policies where table_name = 'odd'`)
})

test('a locked table does not stop the others, and is made up for once it is free', async () => {
  await makeTable('locked', 'day', 1)
  await makeTable('unlocked', 'day', 1)
  const asOf = new Date('2034-01-01T00:00:00Z')
  await database.asSuperuser((session) =>
    session.transaction({}, async (held) => {
      await held.query('lock table lifecycle.locked in share update exclusive mode')
      const rows = await applyPartitions(worker, asOf)
      const actions = (table: string) => rows.filter((row) => row.table === table).map((row) => row.action)
      expect(actions('lifecycle.locked')).toEqual(['failed', 'failed'])
      expect(actions('lifecycle.unlocked')).toEqual(['created', 'created'])
      expect(rows.find((row) => row.table === 'lifecycle.locked')?.message).toContain('lock')
    }),
  )
  const after = await rowsOf('locked', asOf)
  expect(after.map((row) => row.action)).toEqual(['created', 'created'])
})

test('every new partition is guarded, bound by row security and granted to nobody', async () => {
  await applyPartitions(worker)
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
       from lifecycle.policies p
       join pg_inherits i on i.inhparent = to_regclass(format('%I.%I', p.schema_name, p.table_name))
       join pg_class c on c.oid = i.inhrelid
       where p.schema_name in ('audit', 'security')`,
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
    (await partitionStatus(worker, at)).find((row) => row.table === 'lifecycle.gap')
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
  await run('drop table lifecycle.gap_p20350604')
  expect(await status(asOf)).toMatchObject({ coveredUntil: '2035-06-04T00:00:00.000000Z', alarm: true })
})

test('the tables of the migrations have headroom', async () => {
  await applyPartitions(worker)
  const status = await partitionStatus(worker)
  const ours = status.filter((row) => !row.table.startsWith('lifecycle.'))
  expect(ours.map((row) => row.table)).toContain('audit.audit_logs')
  expect(ours.filter((row) => row.alarm)).toEqual([])
})
