/** Verifications that were recorded. */
import type { VerificationRun } from '@akashi/contract'
import { z } from 'zod'
import { decodeCursor, encodeCursor, exactTime } from '../../../foundation/index.ts'
import type { Actor, Database } from '../../../postgres/index.ts'

/** Problems of one run that are listed; `akashi verify` names all of them. */
const PROBLEMS_LISTED = 100

const place = z.tuple([exactTime, z.guid()])

/** Newest first. @throws AkashiError invalid_input for a cursor that was not given */
export async function listVerifications(
  database: Database,
  actor: Actor,
  { cursor, limit }: { readonly cursor?: string | undefined; readonly limit: number },
): Promise<{ readonly rows: readonly VerificationRun[]; readonly next: string | null }> {
  const [at, id] = cursor === undefined ? [null, null] : decodeCursor(cursor, place)
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<VerificationRun & { place: string }>(
        `select v.id, v.started_at as "startedAt", v.finished_at as "finishedAt", v.mode, v.ok,
                to_char(v.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as place,
                (select coalesce(jsonb_agg(jsonb_build_object('log', l ->> 'log', 'size', l ->> 'size', 'checked', l -> 'checked',
                          'retired', coalesce(l -> 'retired', '0'), 'problems', jsonb_array_length(l -> 'problems'))), '[]')
                 from jsonb_array_elements(v.report -> 'logs') l) as logs,
                (select coalesce(jsonb_agg(p.problem), '[]') from (
                   select jsonb_build_object('log', l ->> 'log') || p as problem
                   from jsonb_array_elements(v.report -> 'logs') l cross join jsonb_array_elements(l -> 'problems') p limit $4) p) as problems
         from akashi_audit.verifications v
         where $1::timestamptz is null or (v.finished_at, v.id) < ($1::timestamptz, $2::uuid)
         order by v.finished_at desc, v.id desc limit $3`,
        [at, id, limit + 1, PROBLEMS_LISTED],
      ),
    { readOnly: true },
  )
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    rows: shown.map(({ place: _, ...row }) => row),
    next: rows.length > limit && last !== undefined ? encodeCursor([last.place, last.id]) : null,
  }
}
