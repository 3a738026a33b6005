/** A row of the trail as the write-ahead log delivers it. */
import type { Tuple } from './pgoutput.ts'
import { nameOf } from './protections.ts'
import type { Relation } from './relations.ts'
import { shownValues } from './values.ts'

export const TRAIL = nameOf('akashi_audit', 'audit_logs')

export interface TrailRow {
  readonly id: string
  /** 64 bits, in decimal. */
  readonly xid: string
  /** When it says that it was written, in microseconds since 1970; 0 where it does not. */
  readonly recordedAt: bigint
  readonly table: string
  readonly operation: string
  readonly recordId: string | null
  /** The former key; the same if the change did not alter it. */
  readonly previousId: string | null
  readonly newValues: ReadonlyMap<string, string>
  readonly oldValues: ReadonlyMap<string, string>
  readonly login: string | null
  /** Of a TRUNCATE: the file that the table then had. */
  readonly file: number | null
  readonly isChange: boolean
  /** The parts of the row that no change has matched yet: the new state, and the end of the old one. */
  adds: boolean
  removes: boolean
}

export function trailRow(relation: Relation, tuple: Tuple): TrailRow {
  const text = (name: string) => tuple[relation.places.get(name) ?? -1] ?? null
  const operation = text('operation') ?? ''
  const recordId = text('record_id')
  const detail = shownValues(text('detail'))
  const previous = detail.get('previous_record_id')
  const isChange = text('event_type') === 'data_change'
  let newValues: ReadonlyMap<string, string> | undefined
  let oldValues: ReadonlyMap<string, string> | undefined
  return {
    id: text('id') ?? '',
    xid: text('xid') ?? '',
    recordedAt: microseconds(text('created_at') ?? ''),
    table: nameOf(text('schema_name') ?? '', text('table_name') ?? ''),
    operation,
    recordId,
    previousId: previous === undefined ? recordId : String(JSON.parse(previous)),
    get newValues() {
      newValues ??= shownValues(text('new_values'))
      return newValues
    },
    get oldValues() {
      oldValues ??= shownValues(text('old_values'))
      return oldValues
    },
    login: text('db_user'),
    file: operation === 'TRUNCATE' ? Number(detail.get('file') ?? 0) || null : null,
    isChange,
    adds: isChange && (operation === 'INSERT' || operation === 'UPDATE'),
    removes: isChange && (operation === 'DELETE' || operation === 'UPDATE'),
  }
}

/** Rounded up, of a time as the stream prints it: `2026-11-30 03:18:06.123456+00`. */
function microseconds(text: string): bigint {
  const milliseconds = Date.parse(text.replace(' ', 'T').replace(/\+00$/, 'Z'))
  return Number.isNaN(milliseconds) ? 0n : BigInt(milliseconds) * 1_000n + 999n
}
