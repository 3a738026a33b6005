/** Runs rules over rows as they are sealed. */
import { detectionLogs } from '@akashi/contract'
import type { Actor, Database, Session } from '../postgres/index.ts'
import type { Calendar } from './calendar.ts'
import type { Finding } from './correlate.ts'
import { schemaOf, tableOf } from './history.ts'
import { Matcher, type Row } from './matcher.ts'
import { noResponses, type Responses } from './respond.ts'
import type { Rule, SourceTable } from './rule/ast.ts'
import { type Bounds, boundsOf, sealedSize } from './sealed.ts'
import { postgresql } from './sql/dialects.ts'
import { keepRun, type Ruleset, rulesetOf } from './store.ts'

/** Rows of one round. */
const ROUND_ROWS = 5_000
/**
 * Milliseconds between two records of the position without findings; after a kill, rows since the last record
 * are read again.
 */
const KEEP_INTERVAL_MS = 60_000
/** A log of at most this many rows is read from its beginning when detection runs for the first time. */
const FIRST_ROWS = 100_000
const TIMEOUT_MS = 120_000

interface Watched {
  readonly log: SourceTable
  readonly matchers: readonly Matcher[]
  readonly ruleset: Ruleset
  /** The first position that is not recorded as seen; null before the first round. */
  recorded: number | null
  /** The first position that was not read. */
  next: number
  recordedAt: number
  /** Whether the windows contain the rows before `next`. */
  filled: boolean
  /** Whether rows were read that detection itself did not write. */
  worthwhile: boolean
  waiting: Finding[]
}

/** Keeps the windows of the rules between rounds. One process at a time. */
export class LiveDetector {
  readonly #watched: readonly Watched[]
  readonly #keepIntervalMs: number
  readonly #responses: Responses

  constructor(
    rules: readonly Rule[],
    calendar: Calendar,
    responses: Responses = noResponses,
    keepIntervalMs: number = KEEP_INTERVAL_MS,
  ) {
    this.#keepIntervalMs = keepIntervalMs
    this.#responses = responses
    this.#watched = detectionLogs.flatMap((log) => {
      const own = rules.filter((rule) => tableOf(rule) === log)
      // Rules for new values look much further back than the others.
      const [terms, others] = [own.filter(isForTerms), own.filter((rule) => !isForTerms(rule))]
      const matchers = [terms, others]
        .map((some) => new Matcher(log, some, calendar))
        .filter(({ isEmpty }) => !isEmpty)
      const watched = {
        log,
        matchers,
        ruleset: rulesetOf(own),
        recorded: null,
        next: 0,
        recordedAt: 0,
        filled: false,
        worthwhile: false,
        waiting: [],
      }
      return matchers.length === 0 ? [] : [watched]
    })
  }

  /** Reads what was sealed since the last round. @returns how many findings were new */
  async round(database: Database, actor: Actor, signal?: AbortSignal): Promise<number> {
    let fresh = 0
    const sizes = await this.#sizes(database, actor)
    for (const watched of this.#watched) {
      // Most rounds find nothing new and should cost little.
      if (watched.recorded !== null && (sizes.get(watched.log) ?? 0) <= watched.next) {
        fresh += await this.#keep(database, actor, watched)
        continue
      }
      for (;;) {
        signal?.throwIfAborted()
        const read = await this.#read(database, actor, watched)
        fresh += await this.#keep(database, actor, watched)
        if (read < ROUND_ROWS) break
      }
    }
    return fresh
  }

  async #sizes(database: Database, actor: Actor): Promise<ReadonlyMap<string, number>> {
    const { rows } = await database.transaction(
      actor,
      (session) =>
        session.query<{ log: string; size: number }>(
          'select log, akashi_audit.sealed_size(log)::float8 as size from unnest($1::text[]) log',
          [this.#watched.map(({ log }) => log)],
        ),
      { readOnly: true },
    )
    return new Map(rows.map(({ log, size }) => [log, size]))
  }

  /** Records what was read, even if nothing was found. */
  async flush(database: Database, actor: Actor): Promise<void> {
    for (const watched of this.#watched) {
      watched.recordedAt = Number.NEGATIVE_INFINITY
      await this.#keep(database, actor, watched)
    }
  }

  async #read(database: Database, actor: Actor, watched: Watched): Promise<number> {
    return await database.transaction(
      actor,
      async (session) => {
        const size = await sealedSize(session, watched.log)
        if (watched.recorded === null) await this.#begin(session, watched, size)
        const rows = Math.min(size - watched.next, ROUND_ROWS)
        if (rows <= 0) return 0
        // Few rows by their keys, from partitions that may be large.
        await session.query(
          "select set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)",
        )
        const bounds = await boundsOf(session, watched.log, watched.next, rows)
        if (!watched.filled && bounds !== null) {
          await this.#fill(session, watched, bounds.first)
          watched.filled = true
        }
        for (const matcher of watched.matchers) {
          for (const row of await matched(session, matcher, newRows(watched, rows), bounds)) matcher.row(row)
          watched.waiting.push(...matcher.take())
          if (bounds !== null) matcher.forget(bounds.last)
        }
        watched.worthwhile ||= (bounds?.others ?? 0) > 0
        watched.next += rows
        return rows
      },
      { readOnly: true, isolation: 'repeatable read', timeoutMs: TIMEOUT_MS },
    )
  }

  /** Continues where the last process ended. */
  async #begin(session: Session, watched: Watched, size: number): Promise<void> {
    const { rows } = await session.query<{ end: number | null }>(
      `select max(end_position)::float8 as "end" from akashi_security.detection_runs where log = $1 and kind = 'live'`,
      [watched.log],
    )
    const next = rows[0]?.end ?? (size <= FIRST_ROWS ? 0 : size)
    watched.recorded = next
    watched.next = next
    watched.recordedAt = performance.now()
  }

  /**
   * Fills the windows with the rows that were evaluated before. Only with those: a row that is not sealed yet, or
   * sealed at a later position, may be older than the first new row, and has still to be evaluated.
   */
  async #fill(session: Session, { log, next, matchers }: Watched, firstAt: number): Promise<void> {
    if (next === 0) return
    for (const matcher of matchers) {
      const before: Source = (bind) =>
        `select r.* from ${schemaOf[log]}.${log} r
           where r.created_at >= timestamptz 'epoch' + ${bind(firstAt - matcher.horizon)}::bigint * interval '1 microsecond'
             and akashi_audit.position_of(${bind(log)}, r.id) < ${bind(next)}::bigint`
      for (const row of await matched(session, matcher, before, null)) matcher.row(row, true)
    }
  }

  async #keep(database: Database, actor: Actor, watched: Watched): Promise<number> {
    const { recorded, next, waiting } = watched
    if (recorded === null || next === recorded) return 0
    const due = watched.worthwhile && performance.now() - watched.recordedAt >= this.#keepIntervalMs
    if (waiting.length === 0 && !due) return 0
    const findings = [...new Map(waiting.map((finding) => [finding.id, finding])).values()]
    const fresh = await database.transaction(actor, (session) =>
      keepRun(
        session,
        { kind: 'live', log: watched.log, first: recorded, end: next },
        watched.ruleset,
        findings,
        this.#responses,
      ),
    )
    watched.recorded = next
    watched.recordedAt = performance.now()
    watched.worthwhile = false
    watched.waiting = []
    return fresh
  }
}

function isForTerms(rule: Rule): boolean {
  return rule.kind === 'correlation' && rule.type === 'new_terms'
}

type Source = (bind: (value: string | number) => string) => string

function newRows({ log, next }: Watched, rows: number): Source {
  return (bind) =>
    `select r.* from akashi_audit.rows_from(${bind(log)}, ${bind(next)}, ${bind(rows)}) e
       join ${schemaOf[log]}.${log} r on (r.id, r.created_at) = (e.row_id, e.created_at)`
}

async function matched(
  session: Session,
  matcher: Matcher,
  source: Source,
  bounds: Bounds | null,
): Promise<Row[]> {
  const values: (string | number)[] = []
  const bind = (value: string | number) => `$${values.push(value)}`
  const { columns, where } = matcher.select(postgresql, bind)
  const from = source(bind)
  // Prunes partitions when the statement is planned.
  const within =
    bounds === null
      ? ''
      : ` where r.created_at between timestamptz 'epoch' + ${bind(bounds.first - 1)}::bigint * interval '1 microsecond'
            and timestamptz 'epoch' + ${bind(bounds.last + 1)}::bigint * interval '1 microsecond'`
  const { rows } = await session.query<Readonly<Record<string, string | null>>>(
    `with matched as (select ${columns} from (${from}${within}) r) ${where}`,
    values,
  )
  return rows.map((row): Row => {
    const { id, micros, passed, ...fields } = row
    return [id ?? '', Number(micros), passed ?? '', ...Object.values(fields)]
  })
}
