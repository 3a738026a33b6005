/** Compares old and current rows by primary key, and restores missing or changed ones. */
import { AkashiError, quoteName, quoteTable, type TableName, tableText } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'
import { THEN } from './copy.ts'
import type { Shape } from './shape.ts'

/** Rows shown of each kind. */
export const SHOWN_ROWS = 10

export interface RowDifference {
  /** missing: deleted since; changed: has other values now; added: inserted since. */
  readonly kind: 'missing' | 'changed' | 'added'
  readonly key: Readonly<Record<string, unknown>>
  /** Old and current values of the columns that differ; null if the row did not exist. */
  readonly before: Readonly<Record<string, unknown>> | null
  readonly now: Readonly<Record<string, unknown>> | null
}

export interface Difference {
  readonly missing: number
  readonly changed: number
  readonly added: number
  /** The first of each kind, by primary key. */
  readonly rows: readonly RowDifference[]
  /** Columns that exist on one side only or with another type; not compared. */
  readonly uncompared: readonly string[]
}

interface Compared {
  readonly name: string
  /** Type name for a cast with `::`. */
  readonly type: string
  /** Whether the type is built in, so that only a superuser could define a cast for it. */
  readonly plain: boolean
}

interface Comparison {
  readonly now: string
  readonly key: readonly Compared[]
  /** Compared columns besides the key. */
  readonly values: readonly Compared[]
  readonly uncompared: readonly string[]
}

const present = `
  select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attgenerated <> '' as generated,
         a.atttypid < 16384 as plain, coalesce(a.attnum = any(k.indkey::int2[]), false) as "inKey"
  from pg_attribute a join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p')
  left join pg_index k on k.indrelid = a.attrelid and k.indisprimary
  where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped order by a.attnum`

/** @throws not_found if the table no longer exists; unsupported without a common primary key */
export async function compare(live: Session, table: TableName, shape: Shape): Promise<Comparison> {
  const { rows } = await live.query<Compared & { generated: boolean; inKey: boolean }>(present, [
    quoteTable(table),
  ])
  if (rows.length === 0) {
    throw new AkashiError('not_found', `table ${tableText(table)} does not exist to compare with`, {
      hint: 'restore it under another name with --into',
    })
  }
  const shared = rows.filter(({ name, type }) =>
    shape.columns.some((column) => column.name === name && column.type === type),
  )
  const key = rows.filter(({ inKey }) => inKey)
  if (key.length === 0 || key.some((column) => !shared.includes(column))) {
    throw new AkashiError('unsupported', `${tableText(table)} has no primary key in common with the backup`, {
      hint: 'restore it under another name with --into and compare there',
    })
  }
  const names = new Set([...rows, ...shape.columns].map(({ name }) => name))
  return {
    now: quoteTable(table),
    key,
    values: shared.filter(({ inKey, generated }) => !inKey && !generated),
    uncompared: [...names].filter((name) => !shared.some((column) => column.name === name)),
  }
}

/**
 * Compares values as text: casts and operators of other types may run untrusted code.
 *
 * @param withheld columns whose values are compared but not shown
 */
export async function differ(
  live: Session,
  comparison: Comparison,
  withheld: readonly string[] = [],
): Promise<Difference> {
  const { now, values } = comparison
  const shown = { ...comparison, values: values.filter(({ name }) => !withheld.includes(name)) }
  const join = joinText(comparison)
  const differs = differsText(values)
  const { rows: counts } = await live.query<{ missing: number; changed: number; added: number }>(
    `select count(*) filter (where n.ctid is null)::float8 as missing,
            count(*) filter (where b.ctid is not null and n.ctid is not null and (${differs}))::float8 as changed,
            count(*) filter (where b.ctid is null)::float8 as added
     from ${THEN} b full join ${now} n on ${join}`,
  )
  const [count] = counts
  if (count === undefined) throw new Error('an aggregate returned no row')
  const kinds = [
    ['missing', `${THEN} b left join ${now} n on ${join}`, 'n.ctid is null', 'b'],
    ['changed', `${THEN} b join ${now} n on ${join}`, differs, 'b'],
    ['added', `${now} n left join ${THEN} b on ${join}`, 'b.ctid is null', 'n'],
  ] as const
  const rows: RowDifference[] = []
  for (const [kind, from, where, side] of kinds) {
    if (count[kind] > 0) rows.push(...(await shownRows(live, shown, { kind, from, where, side })))
  }
  return { ...count, rows, uncompared: comparison.uncompared }
}

async function shownRows(
  live: Session,
  { key, values }: Comparison,
  { kind, from, where, side }: { kind: RowDifference['kind']; from: string; where: string; side: 'b' | 'n' },
): Promise<RowDifference[]> {
  const record = (alias: 'b' | 'n', columns: readonly Compared[]) =>
    `(${columns.map((column) => `jsonb_build_object('${column.name.replaceAll("'", "''")}', ${shownText(alias, column)})`).join(' || ')})`
  const { rows } = await live.query<{
    key: Record<string, unknown>
    before: Record<string, unknown> | null
    now: Record<string, unknown> | null
  }>(
    `select ${record(side, key)} as key,
            ${values.length === 0 ? 'null::jsonb' : `case when b.ctid is not null then ${record('b', values)} end`} as before,
            ${values.length === 0 ? 'null::jsonb' : `case when n.ctid is not null then ${record('n', values)} end`} as now
     from ${from} where ${where}
     order by ${key.map((column) => shownText(side, column)).join(', ')} limit ${SHOWN_ROWS}`,
  )
  return rows.map((row) => (kind === 'changed' ? { kind, ...onlyChanged(row) } : { kind, ...row }))
}

function onlyChanged<R extends Pick<RowDifference, 'key' | 'before' | 'now'>>(row: R): R {
  const { before, now } = row
  if (before === null || now === null) return row
  const names = Object.keys(before).filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]),
  )
  const pick = (values: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(names.map((name) => [name, values[name]]))
  return { ...row, before: pick(before), now: pick(now) }
}

/** Restores missing rows and the old values of changed ones. Keeps added rows. */
export async function applyDifference(
  live: Session,
  { now, key, values }: Comparison,
): Promise<{ readonly inserted: number; readonly updated: number }> {
  const all = [...key, ...values]
  const join = joinText({ key })
  const then = ({ name, type }: Compared) => `b.${quoteName(name)}::${type}`
  let updated = 0
  if (values.length > 0) {
    const set = values.map((column) => `${quoteName(column.name)} = ${then(column)}`).join(', ')
    const { rowCount } = await live.query(
      `update ${now} n set ${set} from ${THEN} b where ${join} and (${differsText(values)})`,
    )
    updated = rowCount
  }
  const { rowCount: inserted } = await live.query(
    `insert into ${now} (${all.map(({ name }) => quoteName(name)).join(', ')}) overriding system value
     select ${all.map(then).join(', ')} from ${THEN} b
     where not exists (select from ${now} n where ${join})`,
  )
  return { inserted, updated }
}

function joinText({ key }: Pick<Comparison, 'key'>): string {
  return key.map(({ name }) => `b.${quoteName(name)} = ${outputText(name)}`).join(' and ')
}

function differsText(values: readonly Compared[]): string {
  if (values.length === 0) return 'false'
  return values.map(({ name }) => `b.${quoteName(name)} is distinct from ${outputText(name)}`).join(' or ')
}

/** The current value as text, by the output function of its type. */
function outputText(name: string): string {
  const column = `n.${quoteName(name)}`
  return `case when num_nulls(${column}) = 0 then format('%s', ${column}) end collate "C"`
}

/** A value of a built-in type as such, of any other type as text. */
function shownText(alias: 'b' | 'n', { name, type, plain }: Compared): string {
  if (alias === 'n') return plain ? `n.${quoteName(name)}` : outputText(name)
  return plain ? `b.${quoteName(name)}::${type}` : `b.${quoteName(name)}`
}
