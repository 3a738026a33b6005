/** Questions that the transaction alone cannot decide; answered from the trail and the catalog. */
import type { Actor, Database, Session } from '../../postgres/index.ts'
import type { Found } from './discrepancy.ts'
import type { TrailRow } from './trail-row.ts'
import { changedNothing, type Transaction, type Unrecorded } from './transaction.ts'
import { differing, shownValues } from './values.ts'

/** Records whose versions are asked for in one statement. */
const VERSIONS_AT_ONCE = 1_000

const NO_VERSION =
  ', and the trail has no earlier version of the record to compare with; akashi protect --baseline records one'

/**
 * Everything that is wrong with a transaction. `database` is of the role `worker`.
 *
 * @param latest versions up to this time are of before the transaction, in microseconds since 1970
 */
export async function judge(
  database: Database,
  actor: Actor,
  transaction: Transaction,
  latest: bigint,
): Promise<Found[]> {
  const { found, unsure, unmatched } = transaction.compare()
  const open: Unrecorded[] = []
  for (const each of unsure) {
    const nothing = changedNothing(each)
    if (nothing === null) open.push(each)
    else if (!nothing) found.push(transaction.unrecorded(each))
  }
  if (open.length > 0 || unmatched.length > 0) {
    const asked = await database.transaction(
      actor,
      async (session) => {
        const answers: Found[] = []
        for (let at = 0; at < open.length; at += VERSIONS_AT_ONCE) {
          const batch = open.slice(at, at + VERSIONS_AT_ONCE)
          answers.push(...(await judgeByVersions(session, transaction, batch, latest)))
        }
        const seen = unmatched.length > 0 ? await visible(session, unmatched) : new Set()
        return [
          ...answers,
          ...unmatched.filter(({ table }) => seen.has(table)).map((row) => transaction.unmatched(row)),
        ]
      },
      { readOnly: true },
    )
    found.push(...asked)
  }
  return transaction.limited(found)
}

interface Version {
  readonly id: string
  /** JSON array of schema and table. */
  readonly table: string
  readonly seq: bigint
  readonly operation: string
  readonly values: string | null
}

/** An update that leaves a record as the trail last showed it changed nothing. */
async function judgeByVersions(
  session: Session,
  transaction: Transaction,
  batch: readonly Unrecorded[],
  latest: bigint,
): Promise<Found[]> {
  const { committed } = transaction
  const tables = [...new Set(batch.flatMap(({ change }) => change.relation.names))]
  const { rows } = await session.query<Version>(
    `select distinct on (a.record_id, n.name) a.record_id as id, n.name::text as "table", a.seq, a.operation, a.new_values::text as values
     from akashi_audit.audit_logs a
     join unnest($2::jsonb[]) as n (name) on a.schema_name = n.name ->> 0 and a.table_name = n.name ->> 1
     where a.record_id = any ($1::text[]) and a.event_type in ('data_change', 'data_baseline')
       and a.created_at <= to_timestamp(0) + $3::bigint * interval '1 microsecond' and (a.xid::text::bigint & 4294967295) <> $4
     order by a.record_id, n.name, a.seq desc`,
    [
      [...new Set(batch.flatMap(({ change: { key } }) => (key === null ? [] : [key])))],
      tables,
      latest.toString(),
      committed.xid,
    ],
  )
  return batch.flatMap((each) => {
    const { change } = each
    const { relation, protection, added, key } = change
    const versions = rows.filter(
      ({ id, table }) => id === key && relation.names.some((name) => sameName(name, table)),
    )
    // A record may have been written under the names of the table and of its partition.
    const [first, ...others] = versions
    const last = others.reduce(
      (best, version) => (best !== undefined && best.seq > version.seq ? best : version),
      first,
    )
    const fits =
      last !== undefined &&
      last.operation !== 'DELETE' &&
      added !== undefined &&
      differing(relation, protection, added, shownValues(last.values), { ignored: true, added: true })
        .length === 0
    return fits ? [] : [transaction.unrecorded(each, last === undefined ? NO_VERSION : '')]
  })
}

/** Names are JSON arrays; PostgreSQL prints them with a space. */
function sameName(name: string, printed: string): boolean {
  return JSON.stringify(JSON.parse(printed)) === name
}

/**
 * Tables whose changes the log delivers completely: published ones without inheritance children whose rows
 * are recorded under their name. Includes names of tables that no longer exist.
 */
async function visible(session: Session, rows: readonly TrailRow[]): Promise<Set<string>> {
  const names = [...new Set(rows.map(({ table }) => table))]
  const truncated = [
    ...new Set(rows.filter(({ operation }) => operation === 'TRUNCATE').map(({ table }) => table)),
  ]
  const { rows: hidden } = await session.query<{ name: string }>(
    `select n.name::text as name
     from unnest($1::jsonb[]) as n (name)
     join pg_namespace s on s.nspname = n.name ->> 0 join pg_class c on c.relnamespace = s.oid and c.relname = n.name ->> 1
     where c.relpersistence <> 'p'
        or (c.relkind = 'r' and exists (select from pg_inherits i where i.inhparent = c.oid))
        or (c.relkind = 'p' and n.name = any ($2::jsonb[]) and not exists (
              select from pg_partition_tree(c.oid) t where t.isleaf))
        or not exists (
              select from pg_partition_ancestors(c.oid::regclass) a
              join pg_publication_rel r on r.prrelid = a.relid join pg_publication p on p.oid = r.prpubid and p.pubname = 'akashi_crosscheck')
           and not exists (select from pg_publication_rel r join pg_publication p on p.oid = r.prpubid and p.pubname = 'akashi_crosscheck'
                           where r.prrelid = c.oid)`,
    [names, truncated],
  )
  const found = new Set(names)
  for (const { name } of hidden) found.delete(JSON.stringify(JSON.parse(name)))
  return found
}
