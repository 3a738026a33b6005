/** The triggers that `akashi protect` makes, on every protected table and partition. */
import type { Session } from '../../../postgres/index.ts'
import { type CatalogObject, type Properties, triggerSql } from './catalog.ts'
import { type Difference, differences } from './compare.ts'

interface Row {
  readonly relation: string
  readonly classification: string
  readonly key: string
  /** The key column where it is one and no column is treated specially. */
  readonly onlyKey: string | null
  readonly subject: string | null
  readonly ignored: string
  readonly digested: string
  readonly omitted: string
  readonly onFailure: string
  /** Logins that need no context; null where none is required. */
  readonly exempt: string | null
  readonly trigger: string | null
  readonly xmin: string | null
  readonly properties: Record<string, string | number | boolean | null> | null
}

/** Bits of `pg_trigger.tgtype` and the transition tables of each; all are AFTER triggers of statements. */
const EVENTS: Readonly<Record<string, Properties>> = {
  insert: { type: '4', 'new table': 'new_rows' },
  delete: { type: '8', 'old table': 'old_rows' },
  update: { type: '16', 'old table': 'old_rows', 'new table': 'new_rows' },
  truncate: { type: '32' },
}

/** Row triggers of partitions, for rows that move to another; not every protected table has them. */
const MOVES: Readonly<Record<string, Properties>> = {
  moving: { type: '19', enabled: 'A', function: 'akashi_audit.note_moving()' },
  moved_out: { type: '9', enabled: 'A', function: 'akashi_audit.keep_moved()' },
  moved_in: { type: '5', enabled: 'A', function: 'akashi_audit.keep_moved()' },
}

/** Every trigger of a protected table that records, and what is wrong with them. */
export async function readProtection(
  session: Session,
): Promise<{ triggers: CatalogObject[]; differences: Difference[] }> {
  const { rows } = await session.query<Row>(`
    select part.nspname || '.' || part.relname as relation, p.classification, p.key_columns::text as key, p.subject_column as subject,
           case when cardinality(p.key_columns) = 1 and p.subject_column is null and not p.require_context
                 and cardinality(p.ignored_columns || p.digest_columns || p.omitted_columns) = 0 then p.key_columns[1] end as "onlyKey",
           p.ignored_columns::text as ignored, p.digest_columns::text as digested, p.omitted_columns::text as omitted,
           p.on_failure as "onFailure", case when p.require_context then p.context_exempt::text end as exempt, t.tgname as trigger, t.xmin::text, ${triggerSql('t')} as properties
    from akashi_audit.protected_tables p
    join pg_namespace n on n.nspname = p.schema_name join pg_class c on c.relnamespace = n.oid and c.relname = p.table_name
    cross join lateral (
      select k.relname, kn.nspname, k.oid
      from (select c.oid union select relid from pg_partition_tree(c.oid::regclass)) own
      join pg_class k on k.oid = own.oid join pg_namespace kn on kn.oid = k.relnamespace
    ) part
    left join pg_trigger t on t.tgrelid = part.oid and t.tgname ^@ 'akashi_audit_' and not t.tgisinternal`)
  const found: Difference[] = []
  const triggers: CatalogObject[] = []
  const missing = new Map<string, Set<string>>()
  for (const row of rows) {
    const left = missing.get(row.relation) ?? new Set(Object.keys(EVENTS))
    missing.set(row.relation, left)
    const { trigger, xmin, properties, relation } = row
    if (trigger === null || xmin === null || properties === null) continue
    const event = trigger.slice('akashi_audit_'.length)
    const own = EVENTS[event] ?? MOVES[event]
    if (own === undefined) continue
    left.delete(event)
    const actual = plain(properties)
    triggers.push({
      kind: 'trigger',
      name: `${relation} ${trigger}`,
      relation,
      root: null,
      xmin,
      properties: actual,
    })
    // The condition of a move names the columns of the partition's key.
    const { condition: _, ...move } = actual
    const detail = event in MOVES ? differences(move, own) : differences(actual, { ...own, ...call(row) })
    if (detail !== '') found.push({ object: `trigger ${relation} ${trigger}`, detail })
  }
  triggers.push(...(await readPublication(session)))
  for (const [relation, events] of missing)
    for (const event of events)
      found.push({ object: `trigger ${relation} akashi_audit_${event}`, detail: 'it is missing' })
  return { triggers, differences: found }
}

/**
 * The publication that the cross-check reads: a table that was removed from it for a moment has a new row
 * there.
 */
async function readPublication(session: Session): Promise<CatalogObject[]> {
  const { rows } = await session.query<{ relation: string | null; xmin: string }>(
    `select null as relation, p.xmin::text from pg_publication p where p.pubname = 'akashi_crosscheck'
     union all
     select n.nspname || '.' || c.relname, r.xmin::text
     from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
     join pg_class c on c.oid = r.prrelid join pg_namespace n on n.oid = c.relnamespace
     where p.pubname = 'akashi_crosscheck'`,
  )
  return rows.map(({ relation, xmin }) => ({
    kind: 'publication',
    name: `akashi_crosscheck${relation === null ? '' : ` of ${relation}`}`,
    relation,
    root: null,
    xmin,
    properties: {},
  }))
}

function call(row: Row): Properties {
  const { classification, key, onlyKey, subject, ignored, digested, omitted, onFailure, exempt } = row
  const argument =
    onlyKey === null
      ? [classification, key, subject ?? '', ignored, digested, omitted]
      : [classification, onlyKey]
  if (exempt !== null) argument.push(exempt)
  return {
    enabled: 'A',
    function:
      onFailure === 'record_loss' ? 'akashi_audit.log_changes_or_loss()' : 'akashi_audit.log_changes()',
    arguments: Buffer.from(argument.map((text) => `${text}\0`).join('')).toString('hex'),
  }
}

function plain(properties: NonNullable<Row['properties']>): Properties {
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, String(value)]),
  )
}
