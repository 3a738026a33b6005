import type { DirectSession } from '../../src/postgres/index.ts'
import type { TestDatabase } from './test-database.ts'

/** What a superuser would do who wants no trace: guards off, change, guards on again. */
export async function tamperWith(
  database: TestDatabase,
  work: (session: DirectSession) => Promise<unknown>,
): Promise<void> {
  await database.asSuperuser(async (session) => {
    await session.query('begin')
    await session.query('set local session_replication_role = replica')
    const { rows } = await session.query<{ relid: string; tgname: string }>(
      "select tgrelid::regclass::text as relid, tgname from pg_trigger where tgname in ('refuse_change', 'keep_tile', 'keep_head')",
    )
    for (const { relid, tgname } of rows)
      await session.query(`alter table ${relid} disable trigger ${tgname}`)
    await work(session)
    for (const { relid, tgname } of rows) {
      await session.query(`alter table ${relid} enable always trigger ${tgname}`)
    }
    await session.query('commit')
  })
}
