/** Rows that are only in PostgreSQL: those of open partitions, and late rows of exported ones. */
import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { AkashiError } from '../../foundation/index.ts'
import type { Session } from '../../postgres/index.ts'
import { copyExpression, type TableColumn } from '../archive/columns.ts'
import { identifier, literal } from '../archive/quote.ts'
import { logOf } from '../archive/source.ts'
import type { Span } from './bounds.ts'
import type { Placement, TableName } from './catalog.ts'
import { MAX_HOT_BYTES } from './limits.ts'

/** Rows of a period, in microseconds since 1970; with `behind`, only those after an export's last row. */
interface HotRange {
  readonly from: bigint
  readonly to: bigint
  readonly behind: readonly string[] | undefined
}

const LINE_FEED = 0x0a
const QUOTE = 0x22

/** The ranges of all attached partitions; adjacent ones without exports are joined. */
export function hotRanges({ exports, partitions }: Placement, span: Span): HotRange[] {
  const last = new Map<string, readonly string[] | null>()
  for (const each of exports) last.set(`${each.fromMicros} ${each.toMicros}`, each.upto)
  const ranges: HotRange[] = []
  for (const { fromMicros, toMicros } of partitions) {
    const from = BigInt(fromMicros)
    const to = BigInt(toMicros)
    if (span.from !== undefined && to <= span.from) continue
    if (span.to !== undefined && from >= span.to) continue
    const behind = last.get(`${fromMicros} ${toMicros}`) ?? undefined
    const before = ranges.at(-1)
    if (behind === undefined && before !== undefined && before.behind === undefined && before.to === from) {
      ranges[ranges.length - 1] = { ...before, to }
    } else {
      ranges.push({ from, to, behind })
    }
  }
  return ranges
}

/** A time as an SQL expression, exact to the microsecond. */
function time(micros: bigint): string {
  return `(timestamptz 'epoch' + ${micros} * interval '1 microsecond')`
}

export function hotSql(
  { schema, table }: TableName,
  columns: readonly TableColumn[],
  ranges: readonly HotRange[],
): string {
  const list =
    columns.length === 0
      ? 'true'
      : columns.map(({ name, type }) => copyExpression(`r.${identifier(name)}`, type)).join(', ')
  const behindLog = logOf(schema, table) === null ? undefined : '(r.xid, r.seq)'
  const selects = ranges.map(({ from, to, behind }) => {
    const late =
      behind === undefined || behindLog === undefined
        ? ''
        : ` and ${behindLog} > (${behind.map((part) => literal(part)).join(', ')})`
    return `select ${list} from ${identifier(schema)}.${identifier(table)} r
      where r.created_at >= ${time(from)} and r.created_at < ${time(to)}${late}`
  })
  return `copy (${selects.join(' union all ')}) to stdout (format csv, force_quote *)`
}

/** Streams the rows into a file. `too_large` above {@link MAX_HOT_BYTES}. */
export async function fetchHot(
  session: Session,
  sql: string,
  file: string,
  signal: AbortSignal,
): Promise<{ readonly rows: number; readonly longestLine: number }> {
  let bytes = 0
  let rows = 0
  let quoted = false
  let lineStart = 0
  let longestLine = 0
  const count = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      const before = bytes
      bytes += chunk.length
      if (bytes > MAX_HOT_BYTES) {
        throw new AkashiError('too_large', 'the query reads too many rows that are not archived yet', {
          hint: 'restrict it by created_at, or select fewer columns',
        })
      }
      for (let at = 0; at < chunk.length; at += 1) {
        const byte = chunk[at]
        // A line feed inside quotes is part of a value.
        if (byte === QUOTE) quoted = !quoted
        else if (byte === LINE_FEED && !quoted) {
          rows += 1
          longestLine = Math.max(longestLine, before + at + 1 - lineStart)
          lineStart = before + at + 1
        }
      }
      yield chunk
    }
  }
  await pipeline(session.copyTo(sql), count, createWriteStream(file, { mode: 0o600 }), { signal })
  return { rows, longestLine }
}
