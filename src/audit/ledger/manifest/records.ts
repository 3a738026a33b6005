/**
 * Transactions that were allowed to change the catalog. Each is recorded in the trail, which is sealed, so
 * that an object that was changed and reverted is detected by the transaction that wrote its row.
 */
import { requireReason } from '../../../foundation/index.ts'
import type { Actor, Database, Session } from '../../../postgres/index.ts'
import { OPTIMIZER_FENCE, postgresEntrySql } from '../encoding.ts'
import { auditLogs } from '../logs.ts'
import type { CatalogObject } from './catalog.ts'
import type { Difference } from './compare.ts'

interface Row {
  readonly id: string
  readonly recordedAt: string
  /** In a record of the whole catalog: every transaction that wrote a row of it. */
  readonly transactions: readonly string[] | null
  /** In a record of a migration: its transactions. */
  readonly added: readonly string[] | null
  /** In a record of some relations: the transactions that wrote rows of each. */
  readonly relations: Readonly<Record<string, readonly string[]>> | null
  /** sealed, waiting: not yet sealed; otherwise the record is not what was sealed, or never was. */
  readonly state: 'sealed' | 'waiting' | 'changed' | 'missing'
  /** Its transaction wrote the event that raises the alarm, or it needs none. */
  readonly announced: boolean
}

/**
 * Records the whole current catalog for an administrator: earlier changes are accepted, which raises a
 * critical event.
 */
export async function recordCatalog(owner: Database, actor: Actor, reason: string): Promise<void> {
  requireReason(reason)
  await owner.transaction(actor, (session) =>
    session.query("select akashi_audit.record_catalog('ordered', $1)", [reason]),
  )
}

/** Kinds whose rows are written only by recorded transactions. */
const WATCHED: ReadonlySet<string> = new Set([
  'function',
  'relation',
  'column',
  'constraint',
  'trigger',
  'rule',
  'policy',
  'publication',
  'pg_operator',
  'pg_cast',
  'pg_amop',
  'pg_amproc',
  'pg_opclass',
])

/**
 * Tables of people and permissions, to which others may add foreign keys; the proof does not depend on their
 * columns and rows.
 */
const OTHERS_REFER_TO = /^akashi_auth\.(?!login_attempts)/

/**
 * Objects that are listed individually; more are one finding, because a restored database has only new rows.
 */
const MAX_NAMED = 100

/** Names that one finding shows. */
const SHOWN_NAMES = 5

export async function unrecordedChanges(
  session: Session,
  objects: readonly CatalogObject[],
): Promise<Difference[]> {
  const found: Difference[] = []
  const records: Row[] = []
  for (const record of await readRecords(session)) {
    const known = record.state === 'sealed' || record.state === 'waiting'
    if (known && record.announced) records.push(record)
    else if (known)
      found.push({
        object: `catalog record ${record.id}`,
        detail:
          'no event of its transaction tells of it, so it was not made by the functions that make these records',
      })
    else
      found.push({
        object: `catalog record ${record.id}`,
        detail: record.state === 'changed' ? 'it is not what was sealed' : 'the trail has no such row',
      })
  }
  const whole = records.findLastIndex(({ transactions }) => transactions !== null)
  const allowed = new Set(records[whole]?.transactions)
  const byRelation = new Map<string, Set<string>>()
  for (const { added, relations } of records.slice(whole + 1)) {
    for (const transaction of added ?? []) allowed.add(transaction)
    for (const [relation, transactions] of Object.entries(relations ?? {}))
      byRelation.set(relation, new Set([...(byRelation.get(relation) ?? []), ...transactions]))
  }
  const changed = objects.filter(
    ({ kind, relation, xmin, properties }) =>
      WATCHED.has(kind) &&
      properties['kind'] !== 'S' &&
      !(OTHERS_REFER_TO.test(relation ?? '') && kind !== 'trigger' && kind !== 'rule' && kind !== 'policy') &&
      !allowed.has(xmin) &&
      byRelation.get(relation ?? '')?.has(xmin) !== true,
  )
  if (changed.length > MAX_NAMED || whole < 0) {
    return [
      ...found,
      {
        object: 'catalog',
        detail: `${changed.length} objects were written by transactions that are not recorded; after a restore or an upgrade: akashi audit record-catalog`,
      },
    ]
  }
  return [...found, ...describe(changed)]
}

/** One finding for each relation or function and transaction. */
function describe(changed: readonly CatalogObject[]): Difference[] {
  const groups = new Map<string, CatalogObject[]>()
  for (const object of changed) {
    const key = `${object.relation ?? object.name} ${object.xmin}`
    groups.set(key, [...(groups.get(key) ?? []), object])
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const whole = group.length > 1
    const names = group.map(({ kind, name }) => `${kind} ${name}`)
    const more = names.length > SHOWN_NAMES ? ` and ${names.length - SHOWN_NAMES} more` : ''
    return [
      {
        object: whole ? `relation ${first.relation}` : `${first.kind} ${first.name}`,
        detail: `transaction ${first.xmin} changed ${whole ? `${names.slice(0, SHOWN_NAMES).join(', ')}${more}` : 'it'}, which is not recorded: it may have been different in between`,
      },
    ]
  })
}

/**
 * In the order in which they were made. The row that a record keeps must be the one whose entry was sealed. A superuser can
 * write such a row as well, so a record that accepts what is not of single relations counts only with the event that its
 * transaction wrote; the first one has none, and that of an old one may be archived.
 */
async function readRecords(session: Session): Promise<Row[]> {
  const entry = postgresEntrySql(auditLogs)
  const { rows } = await session.query<Row>(
    `select t.id, t.at as "recordedAt", t.detail -> 'transactions' as transactions, t.detail -> 'added' as added, t.detail -> 'relations' as relations,
            case when e.entry_hash is not null then case when e.entry_hash = ${entry.hash} then 'sealed' else 'changed' end
                 when w.id is not null then 'waiting' else 'missing' end as state,
            not t.detail ?| array['transactions', 'added'] or t.number = (select min(c.number) from akashi_audit.catalog_records c where c.row -> 'detail' ? 'transactions')
              or coalesce(akashi_security.wrote_alarm(t.writer, 'catalog_recorded', t.at), true) as announced
     from (select r.id, r.created_at as at, r.detail, r.seq as place, r.xid as writer, c.number, ${entry.texts}
           from akashi_audit.catalog_records c cross join lateral jsonb_populate_record(null::akashi_audit.audit_logs, c.row) r
           where r.event_type = 'catalog_recorded' ${OPTIMIZER_FENCE}) t
     left join akashi_audit.ledger_entries e on e.log = 'audit_logs' and e.row_id = t.id
     left join lateral (
       select a.id from akashi_audit.audit_logs a where e.row_id is null and a.id = t.id and a.created_at = t.at and a.detail = t.detail
     ) w on true
     order by t.number`,
  )
  return rows
}
