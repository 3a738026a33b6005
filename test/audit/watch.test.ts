import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { describeHolder, frontierHolders, watchLedger } from '../../src/audit/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'

const database = testDatabase()
const worker = database.open('worker')
const holding = database.open('app', { applicationName: 'holder of the frontier' })
const ledger = testLedger(worker)

async function events(type: string): Promise<{ subject: string; detail: string }[]> {
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ subject: string; detail: string }>(
      `select event_details ->> 'subject' as subject, event_details ->> 'detail' as detail from akashi_security.security_events
       where event_type = $1 and event_category = 'integrity' order by seq`,
      [type],
    ),
  )
  return rows
}

it('reports the process that holds the frontier back, and raises one alarm for it', async () => {
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const begun = Promise.withResolvers<number>()
  const open = holding.transaction(tester, async (session) => {
    const { rows } = await session.query<{ pid: number }>(
      'select pg_backend_pid() as pid, pg_current_xact_id()::text',
    )
    begun.resolve(rows[0]?.pid ?? 0)
    await held
  })
  try {
    const pid = await begun.promise
    // Other test files of the same server may hold it before.
    const find = async () => (await frontierHolders(worker, tester)).find((holder) => holder.pid === pid)
    for (let attempt = 0; (await find()) === undefined && attempt < 300; attempt += 1) await sleep(100)
    const holder = await find()
    expect(holder).toMatchObject({
      database: database.name,
      login: 'akashi_app',
      applicationName: 'holder of the frontier',
      state: 'idle in transaction',
      prepared: null,
    })
    if (holder === undefined) throw new Error('nobody holds the frontier')
    expect(describeHolder(holder)).toMatch(
      new RegExp(`^process ${pid} .* of akashi_app in database ${database.name}`),
    )
    expect((await watchLedger(worker, tester, 3600)).holders).toEqual([])
    expect((await watchLedger(worker, tester, 0)).holders.map((each) => each.pid)).toContain(pid)
    await watchLedger(worker, tester, 0)
    expect(
      (await events('ledger_frontier_held')).filter(({ subject }) => subject.includes(`process ${pid},`)),
    ).toHaveLength(1)
  } finally {
    release()
    await open
  }
})

it('raises one alarm for a trigger that was disabled, and another when it is disabled again', async () => {
  await database.asSuperuser((session) =>
    session.query("create table shop (id int primary key); select akashi_audit.protect('shop')"),
  )
  const disable = () =>
    database.asSuperuser((session) => session.query('alter table shop disable trigger akashi_audit_insert'))
  const enable = () =>
    database.asSuperuser((session) =>
      session.query('alter table shop enable always trigger akashi_audit_insert'),
    )
  expect((await watchLedger(worker, tester)).triggers).toEqual([])
  await disable()
  const found = { table: 'public.shop', problem: 'trigger akashi_audit_insert is disabled' }
  expect((await watchLedger(worker, tester)).triggers).toEqual([found])
  await watchLedger(worker, tester)
  expect(await events('audit_trigger_disabled')).toEqual([{ subject: found.table, detail: found.problem }])
  await enable()
  expect((await watchLedger(worker, tester)).triggers).toEqual([])
  await disable()
  await watchLedger(worker, tester)
  expect(await events('audit_trigger_disabled')).toHaveLength(2)
  await enable()
})

it('watches the guards of the ledger itself', async () => {
  await database.asSuperuser((session) =>
    session.query('alter table akashi_audit.retention_records disable trigger refuse_change'),
  )
  expect((await watchLedger(worker, tester)).triggers).toContainEqual({
    table: 'akashi_audit.retention_records',
    problem: 'trigger refuse_change is disabled',
  })
  await database.asSuperuser((session) =>
    session.query('alter table akashi_audit.retention_records enable always trigger refuse_change'),
  )
})

it('shows each entry with the previous one, as a chain', async () => {
  await database.asSuperuser((session) => session.query('insert into shop select generate_series(1, 5)'))
  await ledger.seal()
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<{ position: bigint; hash: string; previous_hash: string | null }>(
      "select position, hash, previous_hash from akashi_audit.audit_log_chain where log = 'audit_logs' order by position",
    ),
  )
  expect(rows.length).toBeGreaterThan(5)
  expect(rows[0]?.previous_hash).toBeNull()
  for (const [i, row] of rows.entries()) {
    expect(row.hash).toMatch(/^[0-9a-f]{64}$/)
    if (i > 0) expect(row.previous_hash).toBe(rows[i - 1]?.hash)
  }
})
