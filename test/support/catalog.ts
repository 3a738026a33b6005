import type { Session } from '../../src/postgres/index.ts'

/**
 * What a table has beyond its columns' order: each column as `type`, ` not null` and ` = default`, each index
 * by its definition from the method on, and the foreign keys.
 */
export interface TableDescription {
  readonly columns: Readonly<Record<string, string>>
  readonly indexes: readonly string[]
  readonly foreignKeys: readonly string[]
}

export async function describeTable(session: Session, table: string): Promise<TableDescription> {
  const columns = await session.query<{ name: string; definition: string }>(
    `select a.attname as name,
            format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end
            || coalesce(' = ' || pg_get_expr(d.adbin, d.adrelid), '') as definition
     from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped`,
    [table],
  )
  const indexes = await session.query<{ definition: string }>(
    `select case when indisunique then 'unique ' else '' end
            || regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', '') as definition
     from pg_index where indrelid = $1::regclass`,
    [table],
  )
  const foreignKeys = await session.query<{ name: string }>(
    `select conname as name from pg_constraint where conrelid = $1::regclass and contype = 'f'`,
    [table],
  )
  return {
    columns: Object.fromEntries(columns.rows.map(({ name, definition }) => [name, definition])),
    indexes: indexes.rows.map(({ definition }) => definition),
    foreignKeys: foreignKeys.rows.map(({ name }) => name),
  }
}
