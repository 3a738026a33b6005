/** One record from its first version to its last, with what each changed. */
import { z } from 'zod'
import { decodeCursor, encodeCursor, parseQuery } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { recordAccess } from './access.ts'
import { type RecordQuery, recordQuery } from './filter.ts'
import { lineageSql } from './lineage.ts'
import { type Json, rowColumns, type StoredRow, type TrailRow, toTrailRow } from './row.ts'

/**
 * One field that changed. `old` is absent where there was no value (INSERT), `new` where there is none any
 * more (DELETE); both are where the trail omits the column.
 */
export interface FieldChange {
  readonly field: string
  readonly old?: Json
  readonly new?: Json
}

/** A row of the trail about the record, or a TRUNCATE that may have removed it. */
export interface RecordVersion extends TrailRow {
  /** UPDATE: the changed fields. INSERT, DELETE: every field. TRUNCATE: none. In the order of their names. */
  readonly changes: readonly FieldChange[]
}

export interface HistoryPage {
  /** Oldest first. */
  readonly rows: readonly RecordVersion[]
  readonly next: string | null
}

const place = z.tuple([z.string().regex(/^\d{1,18}$/)])

/**
 * Versions of one record, over changes of its key: ask by its latest key (by an older one, the history ends
 * where the record left it). An earlier record of the same key is not part of it; a search by the key finds
 * that too. Row-level security applies: an application's user sees their own changes only. What was shown is recorded.
 *
 * @throws AkashiError invalid_input naming every mistake of the query, or for a cursor that was not given
 */
export async function recordHistory(
  database: Database,
  actor: Actor,
  query: RecordQuery,
): Promise<HistoryPage> {
  const { schema, table, recordId, cursor, limit } = parseQuery(recordQuery, query)
  const [after] = cursor === undefined ? ['-1'] : decodeCursor(cursor, place)
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<StoredRow>(historySql, [schema, table, recordId, after, limit + 1])
    const shown = rows.slice(0, limit).map((row) => toVersion(toTrailRow(row)))
    await recordAccess(session, 'akashi_audit.audit_logs', { schema, table, recordId, cursor }, shown)
    const last = shown.at(-1)
    return { rows: shown, next: rows.length > limit && last !== undefined ? encodeCursor([last.seq]) : null }
  })
}

/** A TRUNCATE counts where the record was there: after one of its versions that is no DELETE. */
const historySql = `${lineageSql}, everything as (
    select * from versions
    union all
    select t.* from akashi_audit.audit_logs t
    where t.record_id is null and t.operation = 'TRUNCATE'
      and (t.schema_name, t.table_name) in (select schema_name, table_name from names)
  ), told as (
    select e.*, lag(e.operation) over (order by e.seq) as before from everything e
  )
  select ${rowColumns('t')} from told t
  where (t.operation <> 'TRUNCATE' or t.before in ('INSERT', 'UPDATE')) and t.seq > $4::bigint
  order by t.seq limit $5`

function toVersion(row: TrailRow): RecordVersion {
  return { ...row, changes: changes(row) }
}

function changes({ operation, changedFields, oldValues, newValues }: TrailRow): FieldChange[] {
  const fields = operation === 'UPDATE' ? (changedFields ?? []) : Object.keys({ ...oldValues, ...newValues })
  return [...fields]
    .sort()
    .map((field) => ({ field, ...valueIn('old', oldValues, field), ...valueIn('new', newValues, field) }))
}

function valueIn(side: 'old' | 'new', values: TrailRow['oldValues'], field: string): { [side]?: Json } {
  const value = values !== null && Object.hasOwn(values, field) ? values[field] : undefined
  return value === undefined ? {} : { [side]: value }
}
