import { describe, expect, it } from 'vitest'
import { indexClosedPartition } from '../../src/audit/index.ts'
import { testDatabase, tester } from '../support/index.ts'

const database = testDatabase()
const worker = database.open('worker')

/** Partitions of the trail, oldest first, with the ends of their months. */
async function partitions(): Promise<{ name: string; ends: Date }[]> {
  return await database.asSuperuser(async (session) => {
    const { rows } = await session.query<{ name: string; ends: string }>(
      `select c.relname as name, b.upper as ends from pg_inherits i join pg_class c on c.oid = i.inhrelid, akashi_lifecycle.partition_bounds(i.inhrelid::regclass) b
       where i.inhparent = 'akashi_audit.audit_logs'::regclass order by b.lower`,
    )
    return rows.map(({ name, ends }) => ({ name, ends: new Date(ends) }))
  })
}

const HOUR_MS = 3_600_000

describe('a partition of the trail that has closed', () => {
  it('gets its indexes, one at a time, and only once', async () => {
    const [first] = await partitions()
    if (first === undefined) throw new Error('there are partitions')
    const early = new Date(first.ends.getTime() + HOUR_MS - 1)
    const closed = new Date(first.ends.getTime() + HOUR_MS)
    expect(await indexClosedPartition(worker, tester, undefined, early)).toBeNull()
    const made = []
    for (;;) {
      const index = await indexClosedPartition(worker, tester, undefined, closed)
      if (index === null) break
      made.push(index)
    }
    expect(made).toEqual(
      ['address', 'request', 'resource', 'table', 'trace', 'user'].map(
        (suffix) => `${first.name}_closed_${suffix}`,
      ),
    )
    const plan = await database.asSuperuser(async (session) => {
      await session.query('set enable_seqscan = off')
      return (
        await session.query<{ 'QUERY PLAN': string }>(
          "explain select from akashi_audit.audit_logs where trace_id = 'x'",
        )
      ).rows.map((row) => row['QUERY PLAN'])
    })
    expect(plan.join('\n')).toContain(`${first.name}_closed_trace`)
  })

  it('is skipped while it is locked', async () => {
    const [, second] = await partitions()
    await database.asSuperuser(async (session) => {
      await session.query(`begin; lock table akashi_audit.${second?.name} in row exclusive mode`)
      await expect(
        indexClosedPartition(worker, tester, undefined, new Date((second?.ends.getTime() ?? 0) + HOUR_MS)),
      ).rejects.toThrow()
      await session.query('rollback')
    })
  })
})
