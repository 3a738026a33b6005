/** Reads rejected lines again. */
import type { Actor, Database } from '../../postgres/index.ts'
import { type IngestFormat, ingestFormats, type ParsedBatch, type QuarantineOptions } from './format.ts'
import { type LoadResult, loadEvents } from './load.ts'
import { createEventParser, type ParseOptions } from './parse.ts'

/** Lines that are read again at once. */
const REPLAY_LINES = 1_000

interface QuarantineRow {
  readonly source: string
  readonly format: string
  readonly line: number
  readonly reason: string
  readonly receivedAt: string
}

/** What is kept, by reason and source, without the lines themselves. */
export async function listQuarantine(
  database: Database,
  actor: Actor,
): Promise<(Omit<QuarantineRow, 'line'> & { readonly lines: number })[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Omit<QuarantineRow, 'line'> & { readonly lines: number }>(
        `select source, format, reason, count(*)::integer as lines, max(received_at) as "receivedAt"
         from akashi_security.ingest_quarantine group by source, format, reason order by lines desc limit 1000`,
      ),
    { readOnly: true },
  )
  return rows
}

/** Reads every line that is kept again; what is accepted leaves the quarantine. */
export async function replayQuarantine(
  database: Database,
  actor: Actor,
  { asOf, earliest, signal }: { readonly asOf: Date; readonly earliest: Date; readonly signal?: AbortSignal },
): Promise<{ readonly read: number; readonly accepted: number; readonly stored: number }> {
  let [read, accepted, stored] = [0, 0, 0]
  let after: Uint8Array = Buffer.alloc(0)
  for (;;) {
    signal?.throwIfAborted()
    const { rows } = await database.transaction(
      actor,
      (session) =>
        session.query<{
          digest: Buffer
          source: string
          format: IngestFormat
          options: QuarantineOptions
          content: string
        }>(
          `select digest, source, format, options, content from akashi_security.ingest_quarantine
           where digest > $1 and format = any($2) order by digest limit $3`,
          [after, ingestFormats, REPLAY_LINES],
        ),
      { readOnly: true },
    )
    const last = rows.at(-1)
    if (last === undefined) return { read, accepted, stored }
    after = last.digest
    read += rows.length
    const done: Buffer[] = []
    const reasons: { readonly digest: string; readonly reason: string }[] = []
    for (const source of new Set(rows.map((row) => row.source))) {
      const batches: ParsedBatch[] = []
      const own = rows.filter((row) => row.source === source)
      for (const { digest, format, options, content } of own) {
        const parser = createEventParser(parseOptions(format, options, asOf, earliest))
        const found = [parser.push(Buffer.from(`${content}\n`)), parser.end()]
        if (found.every((batch) => batch.rejected.length === 0)) {
          batches.push(...found)
          done.push(digest)
        } else {
          const reason = found.flatMap((batch) => batch.rejected)[0]?.reason ?? ''
          reasons.push({ digest: digest.toString('hex'), reason })
        }
      }
      const result: LoadResult = await loadEvents(database, actor, streamOf(batches), {
        source,
        format: own[0]?.format ?? 'json',
        ...(signal === undefined ? {} : { signal }),
      })
      stored += result.stored
    }
    accepted += done.length
    await database.transaction(actor, async (session) => {
      await session.query('delete from akashi_security.ingest_quarantine where digest = any($1)', [done])
      await session.query(
        `update akashi_security.ingest_quarantine q set reason = r.reason
         from jsonb_to_recordset($1::jsonb) r (digest text, reason text)
         where q.digest = decode(r.digest, 'hex') and q.reason <> r.reason`,
        [JSON.stringify(reasons)],
      )
    })
  }
}

async function* streamOf(batches: readonly ParsedBatch[]): AsyncGenerator<ParsedBatch, void, undefined> {
  yield* batches
}

function parseOptions(
  format: IngestFormat,
  { timezone, year, system }: QuarantineOptions,
  asOf: Date,
  earliest: Date,
): ParseOptions {
  const common = { asOf, earliest, ...(system === undefined ? {} : { source: system }) }
  if (format === 'sshd') return { ...common, format, timezone: timezone ?? 'UTC', year: year ?? null }
  if (format === 'postgresql') return { ...common, format, ...(timezone === undefined ? {} : { timezone }) }
  return { ...common, format }
}
