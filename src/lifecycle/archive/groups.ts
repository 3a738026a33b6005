/** Rows of an export by tenant and class: what statistics count, and what a copy selects. */
import type { Session } from '../../postgres/index.ts'
import { readColumns } from './columns.ts'
import type { Engine, Row } from './engine.ts'
import { MAX_GROUPS } from './limits.ts'
import { type ArchivedShape, matchColumns } from './matched-columns.ts'
import { identifier, literal } from './quote.ts'
import { oidOf } from './source.ts'

/** Names of the columns with the tenant and class of a row; null if there is none. */
export interface GroupColumns {
  readonly tenant: string | null
  readonly class: string | null
}

export interface Group {
  readonly tenant: string | null
  readonly class: string | null
  readonly rows: number
  /** ISO 8601 in UTC; null where the table has no finite times. */
  readonly oldest: string | null
  readonly newest: string | null
}

interface TableName {
  readonly schema: string
  readonly table: string
}

/** As the table names them now. */
export async function readGroupColumns(
  session: Session,
  { schema, table }: TableName,
): Promise<GroupColumns> {
  const { rows } = await session.query<GroupColumns>(
    'select tenant, class from akashi_lifecycle.group_columns($1, $2)',
    [schema, table],
  )
  return rows[0] ?? { tenant: null, class: null }
}

/** As an export names them, which may have been made before a column was renamed or added. */
export async function archivedGroupColumns(
  session: Session,
  name: TableName,
  archived: ArchivedShape,
): Promise<GroupColumns> {
  const current = await readGroupColumns(session, name)
  const relation = `${identifier(name.schema)}.${identifier(name.table)}`
  const shape = {
    oid: await oidOf(session, name.schema, name.table),
    columns: await readColumns(session, relation),
  }
  const matched = matchColumns(archived, shape)
  const nameThen = (column: string | null) =>
    matched.find(({ current: now }) => now !== undefined && now.name === column)?.archived.name ?? null
  return { tenant: nameThen(current.tenant), class: nameThen(current.class) }
}

/** Counts the rows of a Parquet file. */
export async function readGroups(
  engine: Engine,
  { tenant, class: kind }: GroupColumns,
  parquet: string,
  signal?: AbortSignal,
): Promise<Group[]> {
  const column = (name: string | null) => (name === null ? 'null::VARCHAR' : `${identifier(name)}::VARCHAR`)
  const time = (value: string) =>
    `case when isfinite(${value}) then strftime(${value}, '%Y-%m-%dT%H:%M:%S.%fZ') end`
  const rows = await engine.run(
    `select ${column(tenant)} as tenant, ${column(kind)} as class, count(*)::VARCHAR as rows,
            ${time('min(created_at)::TIMESTAMP')} as oldest, ${time('max(created_at)::TIMESTAMP')} as newest
     from read_parquet(${literal(parquet)}) group by 1, 2 order by count(*) desc limit ${MAX_GROUPS + 1}`,
    signal,
  )
  return rows.map(groupOf)
}

function groupOf(row: Row): Group {
  const text = (name: string) => {
    const value = row[name]
    return typeof value === 'string' ? value : null
  }
  return {
    tenant: text('tenant'),
    class: text('class'),
    rows: Number(row['rows']),
    oldest: text('oldest'),
    newest: text('newest'),
  }
}

/** Adds up the groups of several files. */
export function addGroups(found: readonly Group[]): Group[] {
  const sums = new Map<string, Group>()
  for (const group of found) {
    const key = JSON.stringify([group.tenant, group.class])
    const sum = sums.get(key)
    sums.set(key, sum === undefined ? group : both(sum, group))
  }
  return [...sums.values()]
}

function both(a: Group, b: Group): Group {
  const times = (name: 'oldest' | 'newest') => [a[name], b[name]].filter((time) => time !== null).sort()
  return {
    ...a,
    rows: a.rows + b.rows,
    oldest: times('oldest')[0] ?? null,
    newest: times('newest').at(-1) ?? null,
  }
}

const insertSql = `
  insert into akashi_lifecycle.export_groups (export, tenant, class, row_count, oldest, newest, gathered)
  select $1, g.tenant, g.class, g.rows, g.oldest, g.newest, g.gathered
  from jsonb_to_recordset($2::jsonb) as g (tenant text, class text, rows bigint, oldest timestamptz, newest timestamptz, gathered boolean)
  on conflict do nothing`

/** Records the largest groups of an export by name, and the rows of all others together. */
export async function recordGroups(
  session: Session,
  id: string,
  total: number,
  found: readonly Group[],
): Promise<void> {
  const named = addGroups(found)
    .toSorted((a, b) => b.rows - a.rows)
    .slice(0, MAX_GROUPS)
    .map((group) => ({ ...group, gathered: false }))
  const rest = total - named.reduce((sum, { rows }) => sum + rows, 0)
  const others = { tenant: null, class: null, rows: rest, oldest: null, newest: null, gathered: true }
  const all = rest > 0 ? [...named, others] : named
  if (all.length > 0) await session.query(insertSql, [id, JSON.stringify(all)])
}
