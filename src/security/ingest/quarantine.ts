/** Keeps rejected lines. */
import { hash } from 'node:crypto'
import type { Actor, Database } from '../../postgres/index.ts'
import type { Unread } from './format.ts'

/** Lines of one load that are kept; a file of another kind fills no table. */
export const MAX_QUARANTINED = 10_000
/** Days for which a line is kept. */
const KEPT_DAYS = 90

/** @returns how many lines are kept */
export async function keepUnread(
  database: Database,
  actor: Actor,
  { source, format }: { readonly source: string; readonly format: string },
  lines: readonly Unread[],
): Promise<number> {
  if (lines.length === 0) return 0
  const rows = lines.map(({ line, reason, text, options }) => ({
    digest: hash('sha256', JSON.stringify([format, options, text]), 'hex'),
    line,
    reason,
    content: text,
    options,
  }))
  await database.transaction(actor, async (session) => {
    await session.query(
      'delete from akashi_security.ingest_quarantine where received_at < now() - make_interval(days => $1)',
      [KEPT_DAYS],
    )
    await session.query(
      `insert into akashi_security.ingest_quarantine (digest, source, format, options, line, content, reason)
       select distinct on (r.digest) decode(r.digest, 'hex'), $2, $3, r.options, r.line, r.content, r.reason
       from jsonb_to_recordset($1::jsonb) r (digest text, line bigint, reason text, content text, options jsonb)
       order by r.digest on conflict (digest) do update set reason = excluded.reason`,
      [JSON.stringify(rows), source, format],
    )
  })
  return lines.length
}
