/** The trail of an application's own tables, for a login that may read their history (`akashi protect --history`). */
import type {
  RecordKey,
  RecordState,
  RecordVersion,
  TrailPage,
  TrailRow,
  TrailSearch,
} from '@akashi/contract/trail'
import { ContextError } from '../error.ts'
import type { Executor } from '../executor.ts'
import { recordAccess } from '../record.ts'
import { rowColumns, type StoredRow, toTrailRow } from './row.ts'
import { historySql, toVersion } from './versions.ts'

/** Rows of a page, unless the caller says otherwise. */
const PAGE_ROWS = 100
/** The largest number of the trail. */
const LAST = '9223372036854775807'

/** The versions of one record, oldest first, over changes of its key. The reading is recorded. */
export async function history(
  executor: Executor,
  record: RecordKey,
  { after = '-1', limit = PAGE_ROWS }: { readonly after?: string; readonly limit?: number } = {},
): Promise<TrailPage<RecordVersion>> {
  const rows = (await read(executor, historySql, [...keyOf(record), place(after), limit + 1])).map(toVersion)
  const shown = rows.slice(0, limit)
  await recordReading(executor, { ...record, id: String(record.id) }, shown)
  return { rows: shown, next: rows.length > limit ? (shown.at(-1)?.seq ?? null) : null }
}

/** The record that has the key now, as it was at a moment. The reading is recorded. */
export async function asOf(executor: Executor, record: RecordKey, at: Date): Promise<RecordState> {
  const text = `select * from (${historySql}) told where told."createdAt" <= $6 order by told.seq::bigint desc limit 1`
  const moment = at.toISOString().replace('Z', '999Z')
  const rows = await read(executor, text, [...keyOf(record), '-1', LAST, moment])
  const [version] = rows.map(toTrailRow)
  if (version === undefined) return { state: 'unknown', values: null, version: null }
  await recordReading(executor, { ...record, id: String(record.id), at: moment }, [version])
  return version.newValues === null
    ? { state: 'absent', values: null, version }
    : { state: 'present', values: version.newValues, version }
}

/** Rows of the trail that fit every field, newest first. The reading is recorded. */
export async function search(
  executor: Executor,
  query: TrailSearch,
  { before = LAST, limit = PAGE_ROWS }: { readonly before?: string; readonly limit?: number } = {},
): Promise<TrailPage<TrailRow>> {
  const values: unknown[] = []
  const parameter = (value: unknown) => `$${values.push(value)}`
  const [schema, table] = query.table === undefined ? [] : tableOf(query.table)
  const conditions = [`r.seq < ${parameter(place(before))}::bigint`]
  for (const [column, value] of [
    ['schema_name', schema],
    ['table_name', table],
    ['record_id', query.recordId],
    ['user_id', query.userId],
    ['request_id', query.requestId],
    ['trace_id', query.traceId],
    ['event_type', query.eventType],
    ['resource', query.resource],
    ['resource_id', query.resourceId],
    ['data_subject', query.dataSubject],
  ]) {
    if (value !== undefined) conditions.push(`r.${column} = ${parameter(value)}::text`)
  }
  if (query.from !== undefined)
    conditions.push(`r.created_at >= ${parameter(query.from.toISOString())}::timestamptz`)
  if (query.to !== undefined)
    conditions.push(`r.created_at < ${parameter(query.to.toISOString())}::timestamptz`)
  const text = `select ${rowColumns('r')} from akashi_audit.audit_logs r where ${conditions.join(' and ')}
    order by r.seq desc limit ${parameter(limit + 1)}::bigint`
  const rows = (await read(executor, text, values)).map(toTrailRow)
  const shown = rows.slice(0, limit)
  await recordReading(executor, query, shown)
  return { rows: shown, next: rows.length > limit ? (shown.at(-1)?.seq ?? null) : null }
}

/** Each row as one text of JSON, since drivers differ in what they make of times and arrays. */
async function read(executor: Executor, text: string, values: unknown[]): Promise<StoredRow[]> {
  const { rows } = await executor.query(`select to_jsonb(each)::text as stored from (${text}) each`, values)
  return rows.map((row) => JSON.parse((row as { stored: string }).stored) as StoredRow)
}

async function recordReading(executor: Executor, asked: unknown, rows: readonly TrailRow[]): Promise<void> {
  await recordAccess(executor, { resource: 'akashi_audit.audit_logs', ids: rows.map(({ id }) => id), asked })
}

function keyOf({ table, id }: RecordKey): [schema: string, table: string, id: string] {
  return [...tableOf(table), String(id)]
}

function tableOf(name: string): [schema: string, table: string] {
  const parts = name.split('.')
  const [first, second, ...more] = parts
  if (first === undefined || first === '' || second === '' || more.length > 0) {
    throw new ContextError(`${name} is not the name of a table`, 'write it as schema.table, without quotes')
  }
  return second === undefined ? ['public', first] : [first, second]
}

function place(text: string): string {
  if (!/^-?\d{1,19}$/.test(text)) {
    throw new ContextError(
      'the cursor of a page is not valid',
      'pass `next` of the previous page, or nothing',
    )
  }
  return text
}
