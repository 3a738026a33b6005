/** Runs rules over all events of a time, archived or not, in one pass for each table. */
import { detectionLogs } from '@akashi/contract'
import type { Queries } from '../lifecycle/index.ts'
import type { Actor } from '../postgres/index.ts'
import type { Calendar } from './calendar.ts'
import type { Finding } from './correlate.ts'
import { Matcher, type Row } from './matcher.ts'
import type { Rule, SourceTable } from './rule/ast.ts'
import { duckdb } from './sql/dialects.ts'

/** Characters of one statement; more rules make another pass. */
const MAX_STATEMENT_CHARACTERS = 90_000
/** Maximum rows that one pass may match. */
const MAX_MATCHED = 10_000_000
const TIMEOUT_MS = 60 * 60 * 1000
const MICROSECONDS = 1_000

export const schemaOf: Readonly<Record<SourceTable, string>> = {
  security_events: 'akashi_security',
  audit_logs: 'akashi_audit',
  login_attempts: 'akashi_auth',
}

export interface HistoryRange {
  readonly from: Date | null
  readonly to: Date | null
}

export interface HistoryResult {
  readonly findings: readonly Finding[]
  /** Events that a rule for events matched. */
  readonly matched: number
  /** More events matched than one pass can handle; later events were not evaluated. */
  readonly truncated: boolean
  /** Where it is truncated, the time before which all events were evaluated. */
  readonly until: Date | null
}

export interface HistoryLimits {
  readonly reason: string
  /** Milliseconds for all of it; default one hour. */
  readonly timeoutMs?: number
  /** Events that one pass may match; default 10,000,000. */
  readonly rows?: number
  readonly signal?: AbortSignal
}

export function tableOf(rule: Rule): SourceTable {
  return rule.kind === 'event' ? rule.table : (rule.parts[0]?.rule.table ?? 'security_events')
}

/** @throws what a query throws, such as conflict for frozen objects */
export async function runHistory(
  queries: Queries,
  actor: Actor,
  rules: readonly Rule[],
  calendar: Calendar,
  range: HistoryRange & HistoryLimits,
): Promise<HistoryResult> {
  const findings: Finding[] = []
  let matched = 0
  let until: number | null = null
  const end = performance.now() + (range.timeoutMs ?? TIMEOUT_MS)
  for (const table of detectionLogs) {
    for (const matcher of portions(
      table,
      rules.filter((rule) => tableOf(rule) === table),
      calendar,
    )) {
      let last = Number.NEGATIVE_INFINITY
      const result = await queries.run(actor, {
        sql: historySql(matcher, range),
        rows: range.rows ?? MAX_MATCHED,
        timeoutMs: Math.max(1, Math.round(end - performance.now())),
        reason: range.reason,
        ...(range.signal === undefined ? {} : { signal: range.signal }),
        sink: {
          columns: () => undefined,
          rows: (rows) => {
            matched += rows.length
            for (const row of rows) {
              const [id, at, passed, ...fields] = row
              last = Number(at)
              matcher.row([
                String(id),
                last,
                String(passed),
                ...fields.map((value) => (value === null ? null : String(value))),
              ] satisfies Row)
            }
            findings.push(...closed(matcher, last))
          },
        },
      })
      findings.push(...matcher.take())
      // The last time may have more events.
      if (result.truncated) until = Math.min(until ?? last, last)
    }
  }
  return {
    findings: latest(findings),
    matched,
    truncated: until !== null,
    until: until === null ? null : new Date(Math.floor(until / MICROSECONDS)),
  }
}

function closed(matcher: Matcher, last: number): Finding[] {
  const found = matcher.take()
  matcher.forget(last)
  return found
}

/** The latest state of each finding. */
function latest(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [finding.id, finding])).values()]
}

/** Matchers whose statements are short enough. */
export function portions(table: SourceTable, rules: readonly Rule[], calendar: Calendar): Matcher[] {
  const matcher = new Matcher(table, rules, calendar)
  if (matcher.isEmpty) return []
  if (rules.length === 1 || historySql(matcher, { from: null, to: null }).length <= MAX_STATEMENT_CHARACTERS)
    return [matcher]
  const middle = Math.ceil(rules.length / 2)
  return [
    ...portions(table, rules.slice(0, middle), calendar),
    ...portions(table, rules.slice(middle), calendar),
  ]
}

export function historySql(matcher: Matcher, { from, to }: HistoryRange): string {
  const { columns, where } = matcher.select(duckdb, (value) =>
    typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`,
  )
  const bounds = [
    ...(from === null ? [] : [`r.created_at >= timestamptz '${from.toISOString()}'`]),
    ...(to === null ? [] : [`r.created_at < timestamptz '${to.toISOString()}'`]),
  ]
  const within = bounds.length === 0 ? '' : ` where ${bounds.join(' and ')}`
  return `with matched as (select ${columns} from ${schemaOf[matcher.table]}.${matcher.table} r${within}) ${where}`
}
