/** The rows that the sealer takes next, without taking them. */
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { type LogDefinition, logs } from './logs.ts'
import { readHead } from './store.ts'
import { waitingRowsSql } from './waiting-rows.ts'

/** The row that the sealer takes next; undefined when it waits for none. */
export async function firstWaitingRow(
  database: Database,
  actor: Actor,
  log: LogDefinition,
): Promise<{ readonly id: string; readonly createdAt: string } | undefined> {
  const rows = await selectWaiting<{ id: string; createdAt: string }>(
    database,
    actor,
    log,
    (waiting) => `select r.id, r.created_at as "createdAt" from (${waiting}) r order by r.xid, r.seq limit 1`,
  )
  return rows[0]
}

/** How many rows wait, counted up to `limit`. */
export async function countWaiting(
  database: Database,
  actor: Actor,
  log: LogDefinition,
  limit: number,
): Promise<number> {
  const rows = await selectWaiting<{ count: number }>(
    database,
    actor,
    log,
    (waiting) =>
      `select count(*)::integer as count from (select from (${waiting}) r order by r.xid, r.seq limit ${limit}) counted`,
  )
  return rows[0]?.count ?? 0
}

const ofHead = { xid: 'h.last_xid', seq: 'h.last_seq', floor: 'h.seq_floor', until: '' }

const lookSql = logs
  .map(
    (log) => `select '${log.log}' as log where not exists (
      select from akashi_audit.ledger_heads h where h.log = '${log.log}'
        and not exists (select from (${waitingRowsSql(log, 'ended', ofHead)} order by r.xid, r.seq limit 1) next))`,
  )
  .join(' union all ')

/** Names of the logs that have rows to seal now, or were never sealed; one statement, on a connection of the worker. */
export async function lookForRows(session: Session): Promise<ReadonlySet<string>> {
  const { rows } = await session.query<{ log: string }>(lookSql)
  return new Set(rows.map(({ log }) => log))
}

/**
 * The same, and the transactions that have ended, as text: while these stay the same, no transaction that wrote anything
 * has ended, and there is nothing more to seal.
 *
 * @param seen where they are these, no rows are looked for
 */
export async function lookForRowsSince(
  session: Session,
  seen: string | null,
): Promise<{ readonly snapshot: string; readonly logs: ReadonlySet<string> }> {
  const { rows } = await session.query<{ snapshot: string; logs: string[] | null }>(
    `select s.snapshot, case when s.snapshot is distinct from $1 then array(${lookSql}) end as logs
     from (select pg_current_snapshot()::text as snapshot) s`,
    [seen],
  )
  return { snapshot: rows[0]?.snapshot ?? '', logs: new Set(rows[0]?.logs) }
}

async function selectWaiting<R>(
  database: Database,
  actor: Actor,
  log: LogDefinition,
  select: (waiting: string) => string,
): Promise<R[]> {
  const { rows } = await database.transaction(
    actor,
    async (session) => {
      const head = await readHead(session, log.log)
      await preferIndexes(session)
      const parameters = { xid: '$1', seq: '$2', floor: '$3', until: '' }
      return await session.query<R>(select(waitingRowsSql(log, 'ended', parameters)), [
        head?.lastXid ?? '0',
        head?.lastSeq ?? '0',
        head?.seqFloor ?? '0',
      ])
    },
    { readOnly: true },
  )
  return rows
}

/** Waiting rows are found by their index, even if the statistics of a growing table suggest otherwise. */
export async function preferIndexes(session: Session): Promise<void> {
  await session.query("select set_config('enable_seqscan', 'off', true)")
}
