/** One record from its first version to its last, with what each changed. */
import { historySql, type RecordVersion, type StoredRow, toVersion } from '@akashi/client/trail'
import { z } from 'zod'
import { decodeCursor, encodeCursor, parseQuery } from '../../foundation/index.ts'
import type { Actor, Database } from '../../postgres/index.ts'
import { recordAccess } from './access.ts'
import { type RecordQuery, recordQuery } from './filter.ts'

export type { FieldChange, RecordVersion } from '@akashi/client/trail'

export interface HistoryPage {
  /** Oldest first. */
  readonly rows: readonly RecordVersion[]
  readonly next: string | null
}

const place = z.tuple([z.string().regex(/^\d{1,18}$/)])

/**
 * Versions of one record, over changes of its key: ask by its latest key (by an older one, the history ends
 * where the record left it). An earlier record of the same key is not part of it; a search by the key finds
 * that too. Row-level security applies: an application's user sees their own changes only. The access is
 * recorded.
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
    const shown = rows.slice(0, limit).map((row) => toVersion(row))
    await recordAccess(session, 'akashi_audit.audit_logs', { schema, table, recordId, cursor }, shown)
    const last = shown.at(-1)
    return { rows: shown, next: rows.length > limit && last !== undefined ? encodeCursor([last.seq]) : null }
  })
}
