/** Rows of the trail come back from the archive as they were, and verify there. */
import { expect, test } from 'vitest'
import { archivedRows, restorePartition, runArchive } from '../../src/lifecycle/index.ts'
import { testDatabase, tester } from '../support/index.ts'
import { testLedger } from '../support/ledger.ts'
import { pretendOld } from '../support/old-database.ts'
import { testStore } from './support/archive.ts'

const database = testDatabase()
const worker = database.open('worker')
const ledger = testLedger(worker)
const cold = testStore()
const trail = { schema: 'akashi_audit', table: 'audit_logs' } as const

async function contents(): Promise<unknown[]> {
  return await database.asSuperuser(async (session) => {
    const { rows } = await session.query<{ row: string }>(
      "select r::text as row from akashi_audit.audit_logs r where created_at < '2017-01-01' order by xid, seq",
    )
    return rows.map(({ row }) => row)
  })
}

test('ids of any text, json as text, depths and logins survive the archive', async () => {
  await database.asSuperuser(async (session) => {
    await session.query(
      "select akashi_lifecycle.create_partitions('akashi_audit.audit_logs', '2016-03-01', '2016-03-01')",
    )
    await session.query(
      `insert into akashi_audit.audit_logs (created_at, user_id, session_id, context_verified, signed_by, db_system_user,
         action, operation, trigger_depth, record_id, new_values, changed_fields)
       select '2016-03-01'::timestamptz + i * interval '1 hour', case i % 4 when 0 then '42' when 1 then '山田, "太郎"' when 2 then '' end,
              's/' || i, i % 2 = 0, case when i % 2 = 0 then 'shop' end, case when i % 3 = 0 then 'scram-sha-256:postgres' end,
              'insert', 'INSERT', nullif(i % 3, 0), 'sha256:' || i,
              jsonb_build_object('n', 1.00, 'doc', '{"a":"\\u0000","a":1e400000}'), case i % 3 when 0 then '{}' when 1 then array['a', ''] end::text[]
       from generate_series(1, 40) i`,
    )
  })
  await pretendOld(database)
  await ledger.seal()
  const before = await contents()
  const done = await runArchive(worker, tester, cold.store, { table: trail })
  expect(done).toMatchObject([{ action: 'dropped', rows: 40 }])
  expect(await contents()).toEqual([])
  const report = await ledger.verify({ archived: archivedRows(worker, tester, cold.store) })
  expect(report.logs.flatMap(({ problems }) => problems)).toEqual([])
  const partition = done[0]?.partition ?? ''
  await restorePartition(database.open('owner'), tester, cold.store, { ...trail, partition })
  expect(await contents()).toEqual(before)
  expect((await ledger.verify()).ok).toBe(true)
})
