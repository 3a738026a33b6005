/** What a catalogue outside has to know of a table in the store: columns as the files have them, and folders. */
import { AkashiError, given } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { POSITION_COLUMN, readColumns } from '../archive/columns.ts'
import { tableFolder } from '../archive/object-keys.ts'
import { identifier } from '../archive/quote.ts'
import { logOf } from '../archive/source.ts'
import { checkFiles } from './check.ts'
import { hiveType, type OuterColumn } from './hive.ts'

export interface OuterTable {
  /** Name in the catalog, such as `security_events`. */
  readonly name: string
  readonly columns: readonly OuterColumn[]
  /** Folder of the table, with the scheme of the object store, ending with `/`. */
  readonly location: string
  /** Whether partitions are monthly; their folders then have day=01. */
  readonly monthly: boolean
  readonly firstYear: number
  readonly lastYear: number
  /** Region where the data must stay. */
  readonly dataResidency: string
  /** Number of objects whose schema was compared with the columns; 0 if nothing is archived yet. */
  readonly checked: number
}

export interface OuterTableOptions {
  readonly schema: string
  readonly table: string
  /** Where the reader finds the objects, such as `s3://bucket/prefix`; default: the store's location. */
  readonly location?: string
  readonly signal?: AbortSignal
}

const policySql = `
  select p.interval, extract(year from coalesce(min(e.lower_bound), now()) at time zone 'UTC')::integer as "firstYear",
         extract(year from (now() + p.total_retention) at time zone 'UTC')::integer as "lastYear",
         akashi_lifecycle.setting('organisation.data_residency') #>> '{}' as "dataResidency"
  from akashi_lifecycle.policies p
  left join akashi_lifecycle.exports e on (e.schema_name, e.table_name) = (p.schema_name, p.table_name) and e.state <> 'exporting'
  where (p.schema_name, p.table_name) = ($1, $2)
  group by p.interval, p.total_retention`

/**
 * Reads a table's columns and compares them with files of the store.
 * @throws integrity when a file has other columns or another location; not_found when the table has no policy
 */
export async function outerTable(
  database: Database,
  actor: Actor,
  store: ObjectStore,
  { schema, table, location, signal }: OuterTableOptions,
): Promise<OuterTable> {
  const found = await database.transaction(
    actor,
    async (session) => {
      const { rows } = await session.query<{
        interval: string
        firstYear: number
        lastYear: number
        dataResidency: string
      }>(policySql, [schema, table])
      const [policy] = rows
      if (policy === undefined) {
        throw new AkashiError('not_found', `${schema}.${table} has no lifecycle policy`, {
          hint: 'list the tables with a policy: akashi archive policy',
        })
      }
      return { policy, columns: await readColumns(session, `${identifier(schema)}.${identifier(table)}`) }
    },
    { readOnly: true, ...given({ signal }) },
  )
  const position = logOf(schema, table) === null ? [] : [{ name: POSITION_COLUMN, parquet: 'BIGINT' }]
  const columns = [...position, ...found.columns].map(({ name, parquet }) => ({
    name,
    type: hiveType(parquet),
  }))
  const root = (location ?? store.location).replace(/\/+$/, '')
  return {
    name: table,
    columns,
    location: `${root}/${tableFolder(schema, table)}`,
    monthly: found.policy.interval === 'month',
    firstYear: found.policy.firstYear,
    lastYear: found.policy.lastYear,
    dataResidency: found.policy.dataResidency,
    checked: await checkFiles(database, actor, store, { schema, table }, columns, signal),
  }
}
