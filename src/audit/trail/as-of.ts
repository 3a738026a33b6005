/** A record as it was at a given time. */
import {
  lineageSql,
  rowColumns,
  type StoredRow,
  type TrailRow,
  toTrailRow,
  type Values,
} from '@akashi/client/trail'
import { AkashiError, parseQuery } from '../../foundation/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { recordAccess } from './access.ts'
import { type RecordAsOfQuery, recordAsOfQuery } from './filter.ts'

/** Finding out where a key went reads the table's trail since the record's last version, in milliseconds. */
const AS_OF_TIMEOUT_MS = 120_000

export interface RecordAsOf {
  readonly state: 'present' | 'absent' | 'unknown'
  /** The row, as far as the trail keeps it: ignored columns as of the last recorded change. Null unless present. */
  readonly values: Values | null
  /** The key that the record had then, or the new one if it was renamed. */
  readonly recordId: string
  /**
   * Why there are no values. absent: `not_created` yet, `deleted`, `truncated`, or `renamed` to another key.
   * unknown: the trail begins later (`before_trail`), or a partition that may have held the record was
   * truncated since (`partition_truncated`).
   */
  readonly reason:
    | 'not_created'
    | 'deleted'
    | 'truncated'
    | 'renamed'
    | 'before_trail'
    | 'partition_truncated'
    | null
  /** The row of the trail that shows this. */
  readonly version: { readonly id: string; readonly createdAt: string; readonly operation: string | null }
}

/**
 * The record that has the key now, as it was at `at`. A change counts from when it was made, not from its
 * commit. The reading is recorded. Requires rights on the whole trail, because a hidden row would silently
 * make the result wrong.
 *
 * @throws AkashiError invalid_input naming every mistake; forbidden, integrity when rows may be hidden;
 *   not_found when the trail has nothing about the record
 */
export async function recordAsOf(
  database: Database,
  actor: Actor,
  query: RecordAsOfQuery,
): Promise<RecordAsOf> {
  const { schema, table, recordId, at } = parseQuery(recordAsOfQuery, query)
  return await database.transaction(
    actor,
    async (session) => {
      await session.query("select akashi_audit.assert_unfiltered('akashi_audit.audit_logs')")
      const [before, first] = await versionsAround(session, schema, table, recordId, at)
      const version = before ?? first
      if (version === undefined) {
        throw new AkashiError(
          'not_found',
          `the trail has no rows about record ${recordId} of ${schema}.${table}`,
          {
            hint: 'it was not changed since the table was put under audit, or that part of the trail is archived',
          },
        )
      }
      const query = { schema, table, recordId, at }
      await recordAccess(session, 'akashi_audit.audit_logs', query, [version])
      if (before !== undefined) return await stateAfter(session, before, query)
      return result(version, version.operation === 'INSERT' ? 'not_created' : 'before_trail')
    },
    { isolation: 'repeatable read', timeoutMs: AS_OF_TIMEOUT_MS },
  )
}

/** The last version at or before the moment, and the first of all. */
async function versionsAround(
  session: Session,
  ...record: [schema: string, table: string, recordId: string, at: string]
): Promise<[before: TrailRow | undefined, first: TrailRow | undefined]> {
  const { rows } = await session.query<StoredRow & { readonly before: boolean }>(
    `${lineageSql}
     (select true as before, ${rowColumns('v')} from versions v where v.created_at <= $4::timestamptz order by v.seq desc limit 1)
     union all
     (select false, ${rowColumns('v')} from versions v order by v.seq limit 1)`,
    record,
  )
  const row = (before: boolean) =>
    rows.filter((each) => each.before === before).map(({ before: _, ...stored }) => toTrailRow(stored))[0]
  return [row(true), row(false)]
}

interface Fate {
  readonly id: string
  readonly createdAt: string
  readonly operation: string
  readonly recordId: string | null
  readonly whole: boolean
}

/** What happened to the record between its last version and the given time. */
async function stateAfter(
  session: Session,
  version: TrailRow,
  { schema, table, recordId, at }: { schema: string; table: string; recordId: string; at: string },
): Promise<RecordAsOf> {
  if (version.operation === 'DELETE') return result(version, 'deleted')
  const { rows } = await session.query<Fate>(
    `${lineageSql}
     select t.id, t.created_at as "createdAt", t.operation, t.record_id as "recordId",
            n.whole or (t.schema_name, t.table_name) = ($7, $8) as whole
     from akashi_audit.audit_logs t join names n using (schema_name, table_name)
     where t.seq > $5::bigint and t.created_at between $6::timestamptz and $4::timestamptz
       and ((t.record_id is null and t.operation = 'TRUNCATE')
         or (t.operation = 'UPDATE' and t.detail ->> 'previous_record_id' = $9 and not exists (
           -- The key was given to this record by the statement that took it from another.
           select from akashi_audit.audit_logs v
           where v.id = $10 and v.created_at = $6::timestamptz and v.xid = t.xid
             and v.detail ? 'previous_record_id' and v.new_values <> t.new_values || t.old_values)))
     order by whole desc, t.seq limit 1`,
    [
      schema,
      table,
      recordId,
      at,
      version.seq,
      version.createdAt,
      version.schema,
      version.table,
      version.recordId,
      version.id,
    ],
  )
  const [fate] = rows
  if (fate === undefined) {
    return { ...result(version, null), state: 'present', values: version.newValues }
  }
  if (fate.operation === 'UPDATE') return result({ ...fate, recordId: fate.recordId }, 'renamed')
  return result({ ...fate, recordId: version.recordId }, fate.whole ? 'truncated' : 'partition_truncated')
}

function result(
  {
    id,
    createdAt,
    operation,
    recordId,
  }: Pick<TrailRow, 'id' | 'createdAt' | 'recordId'> & { readonly operation: string | null },
  reason: RecordAsOf['reason'],
): RecordAsOf {
  const unknown = reason === 'before_trail' || reason === 'partition_truncated'
  return {
    state: unknown ? 'unknown' : 'absent',
    values: null,
    recordId: recordId ?? '',
    reason,
    version: { id, createdAt, operation },
  }
}
