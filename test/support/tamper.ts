import type { Database, DirectSession } from '../../src/postgres/index.ts'
import type { TestDatabase } from './test-database.ts'

/** Triggers that keep the record and the ledger as they are. */
const guards = `
  select tgrelid::regclass::text as relid, tgname from pg_trigger
  where tgname in ('refuse_change', 'keep_tile', 'keep_head', 'keep_checkpoint') and tgparentid = 0`

/** Guards off for the rest of the transaction; answers the tables. */
export async function withoutGuards(session: DirectSession): Promise<string[]> {
  const { rows } = await session.query<{ relid: string; tgname: string }>(guards)
  for (const { relid, tgname } of rows) await session.query(`alter table ${relid} disable trigger ${tgname}`)
  return rows.map(({ relid }) => relid)
}

/** What a superuser would do who wants no trace: guards off, change, guards on again. */
export async function tamperWith(
  database: TestDatabase,
  work: (session: DirectSession) => Promise<unknown>,
): Promise<void> {
  await database.asSuperuser(async (session) => {
    await session.query('begin')
    await session.query('set local session_replication_role = replica')
    const { rows } = await session.query<{ relid: string; tgname: string }>(guards)
    await withoutGuards(session)
    await work(session)
    for (const { relid, tgname } of rows) {
      await session.query(`alter table ${relid} enable always trigger ${tgname}`)
    }
    await session.query('commit')
  })
}

/** The same database as one connection sees it in the middle of its transaction. */
export function insideOf(session: DirectSession): Database {
  return {
    role: 'owner',
    transaction: (_, work) => work(session),
    direct: (work) => work(session),
    close: () => Promise.resolve(),
  }
}
