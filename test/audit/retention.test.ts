import { beforeAll, describe, expect, it } from 'vitest'
import { auditLogs, type RetentionRecord, recordRetention } from '../../src/audit/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { pretendOld } from '../support/old-database.ts'
import { tamperWith } from '../support/tamper.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)

const from = new Date('2019-03-01T00:00:00.000Z')
const to = new Date('2019-04-01T00:00:00.000Z')
const range = {
  log: auditLogs,
  partition: 'akashi_audit.audit_logs_2019_03',
  from,
  to,
  policy: 'audit_logs: 2555 days',
}

/** Rows of an old month, sealed, as a table that was adopted would have them. */
async function oldRows(count: number): Promise<void> {
  await database.asSuperuser(async (session) => {
    await session.query(
      "select akashi_lifecycle.create_partitions('akashi_audit.audit_logs', '2019-03-01', '2019-03-02')",
    )
    await session.query(
      `insert into akashi_audit.audit_logs (created_at, action, context_verified)
       select '2019-03-05'::timestamptz + make_interval(mins => i), 'old', true from generate_series(1, $1::integer) i`,
      [count],
    )
  })
  await pretendOld(database)
  await ledger.seal()
}

const removeOld = () =>
  tamperWith(database, (session) => session.query("delete from akashi_audit.audit_logs where action = 'old'"))

async function entries(): Promise<{ id: string; position: string }[]> {
  const { rows } = await worker.transaction(tester, (session) =>
    session.query<{ id: string; position: string }>(
      `select e.row_id as id, e.position::text from akashi_audit.ledger_entries e
       where e.log = 'audit_logs' and e.created_at >= '2019-03-01' and e.created_at < '2019-04-01' order by e.position`,
    ),
  )
  return rows
}

let first: RetentionRecord | null = null

beforeAll(async () => {
  await oldRows(300)
})

describe('rows that retention removes', () => {
  it('need a record before they go: without one they are removed', async () => {
    expect(
      await recordRetention(worker, tester, ledger.keyring, {
        ...range,
        from: to,
        to: new Date('2019-05-01'),
      }),
    ).toBeNull()
    first = await recordRetention(worker, tester, ledger.keyring, range)
    expect(first).toMatchObject({ rows: 300n, log: 'audit_logs' })
    expect(await ledger.verify()).toMatchObject({ ok: true, logs: [{ retired: 0 }, {}, {}] })
    await removeOld()
    const report = await ledger.verify()
    expect(report.ok).toBe(true)
    const [log] = report.logs
    expect(log).toMatchObject({ retired: 300 })
    expect(log?.checked).toBe(Number(log?.size) - 300)
  })

  it('are recorded once, however often it is asked', async () => {
    const again = await recordRetention(worker, tester, ledger.keyring, range)
    expect(again).toMatchObject({ id: first?.id, rows: 300n })
  })

  it('are counted by the incremental verification and the scrub too', async () => {
    expect(await ledger.verify({ mode: 'incremental' })).toMatchObject({
      ok: true,
      logs: [{ retired: 300 }, {}, {}],
    })
  })

  it('are not covered by the record when they come later, until they are retired too', async () => {
    await oldRows(5)
    await removeOld()
    const late = (await entries()).slice(300)
    const problems = await ledger.problems()
    expect(problems.map(({ kind, id }) => `${kind} ${id}`)).toEqual(late.map(({ id }) => `removed ${id}`))
    expect(await recordRetention(worker, tester, ledger.keyring, range)).toMatchObject({ rows: 5n })
    expect(await ledger.verify()).toMatchObject({ ok: true, logs: [{ retired: 305 }, {}, {}] })
  })

  it('are missed when somebody removes more than the record says', async () => {
    const { rows } = await worker.transaction(tester, (session) =>
      session.query<{ id: string }>(
        "select row_id as id from akashi_audit.ledger_entries where log = 'audit_logs' and created_at > '2020-01-01' order by position limit 1",
      ),
    )
    const id = rows[0]?.id
    await tamperWith(database, async (session) => {
      await session.query('create table public.kept as select * from akashi_audit.audit_logs where id = $1', [
        id,
      ])
      await session.query('delete from akashi_audit.audit_logs where id = $1', [id])
    })
    expect((await ledger.problems()).map((problem) => `${problem.kind} ${problem.id}`)).toEqual([
      `removed ${id}`,
    ])
    await tamperWith(database, (session) =>
      session.query('insert into akashi_audit.audit_logs select * from public.kept'),
    )
  })
})

describe('an invalid record', () => {
  it.each([
    ['another count', 'row_count = row_count - 1', 'it is not what was signed'],
    ['another digest', "digest = sha256('x')", 'it is not what was signed'],
    ['other bounds', "upper_bound = upper_bound + interval '1 day'", 'it is not what was signed'],
    ['another position', 'last_position = last_position + 1', 'it is not what was signed'],
    ['another reason', "policy = 'because'", 'it is not what was signed'],
    [
      'a broken signature',
      "note = replace(note, 'audit_logs: 2555', 'audit_logs: 2556'), policy = replace(policy, '2555', '2556')",
      'its signature does not verify',
    ],
  ])('with %s counts for nothing', async (_, change, why) => {
    await tamperWith(database, async (session) => {
      await session.query('create table public.record as table akashi_audit.retention_records')
      await session.query(`update akashi_audit.retention_records set ${change} where id = $1`, [first?.id])
    })
    const problems = await ledger.problems()
    await tamperWith(database, (session) =>
      session.query(
        'delete from akashi_audit.retention_records; insert into akashi_audit.retention_records table public.record; drop table public.record',
      ),
    )
    expect(problems.find(({ kind }) => kind === 'checkpoint')?.detail).toContain(why)
    expect(problems.filter(({ kind }) => kind === 'removed')).toHaveLength(300)
  })

  it('covers nothing when its entries were replaced', async () => {
    const [entry] = await entries()
    await tamperWith(database, async (session) => {
      await session.query(
        'create table public.entry as select * from akashi_audit.ledger_entries where row_id = $1',
        [entry?.id],
      )
      await session.query(
        "update akashi_audit.ledger_entries set created_at = '2019-05-01' where row_id = $1",
        [entry?.id],
      )
    })
    const problems = await ledger.problems()
    await tamperWith(database, (session) =>
      session.query(
        'update akashi_audit.ledger_entries e set created_at = s.created_at from public.entry s where e.row_id = s.row_id',
      ),
    )
    expect(problems.find(({ kind }) => kind === 'checkpoint')?.detail).toContain(
      'the ledger has 299 such entries',
    )
    expect(await ledger.problems()).toEqual([])
  })
})

describe('recording', () => {
  it('is refused under legal hold', async () => {
    await oldRows(2)
    await database.asSuperuser((session) =>
      session.query("update akashi_lifecycle.policies set legal_hold = true where table_name = 'audit_logs'"),
    )
    await expect(recordRetention(worker, tester, ledger.keyring, range)).rejects.toMatchObject({
      code: 'conflict',
    })
    await database.asSuperuser((session) =>
      session.query(
        "update akashi_lifecycle.policies set legal_hold = false where table_name = 'audit_logs'",
      ),
    )
    expect(await recordRetention(worker, tester, ledger.keyring, range)).toMatchObject({ rows: 2n })
  })

  it('is refused to the application, and no record is changed or removed', async () => {
    await expect(
      database
        .open('app')
        .transaction(tester, (session) =>
          session.query(
            "select akashi_audit.record_retention('audit_logs', 'p', now(), now(), 0, 0, 1, '', 'x', 'x')",
          ),
        ),
    ).rejects.toMatchObject({ code: 'forbidden' })
    await expect(
      database.asSuperuser((session) => session.query('delete from akashi_audit.retention_records')),
    ).rejects.toMatchObject({ code: 'append_only' })
  })

  it('refuses an invalid range', async () => {
    await expect(
      recordRetention(worker, tester, ledger.keyring, { ...range, from: to, to: from }),
    ).rejects.toMatchObject({
      code: 'invalid_input',
    })
  })
})
