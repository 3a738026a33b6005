/** One record from its first version to its last, with what each changed. */

import type { FieldChange, Json, RecordVersion, TrailRow } from '@akashi/contract/trail'
import { lineageSql } from './lineage.ts'
import { rowColumns, type StoredRow, toTrailRow } from './row.ts'

export type { FieldChange, RecordVersion } from '@akashi/contract/trail'

/**
 * Versions of a record after a number of the trail ($4), oldest first, up to a limit ($5); $1 to $3 as in lineageSql.
 * A TRUNCATE counts where the record was there: after one of its versions that is no DELETE.
 */
export const historySql = `${lineageSql}, everything as (
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

/** A row that {@link historySql} returned. */
export function toVersion(stored: StoredRow): RecordVersion {
  const row = toTrailRow(stored)
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
