/** Runs rules over rows as they are sealed. */
import { detectionLogs } from '@akashi/contract'
import type { Actor, Database, Session } from '../postgres/index.ts'
import type { Calendar } from './calendar.ts'
import { type Finding, spanOf } from './correlate.ts'
import { schemaOf, tableOf } from './history.ts'
import { Matcher, type Row } from './matcher.ts'
import { noResponses, type Responses } from './respond.ts'
import type { Rule, SourceTable } from './rule/ast.ts'
import { type Bounds, boundsOf, sealedSize } from './sealed.ts'
import { type Bind, postgresql } from './sql/dialects.ts'
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
/** Rows that are older when detection starts are evaluated with the rows around them, not with the windows. */
const FILLED_DAYS = 7
const MICROSECONDS = 1_000
const DAY_US = 86_400_000_000

interface Range {
  readonly first: number
  readonly end: number
}

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
  /** The windows have everything from this time on, in microseconds, unless it was forgotten since. */
  filledAt: number
  /** The time of the last forgetting, in microseconds. */
  forgottenAt: number
  /** Positions since `recorded` whose rows were archived before they could be read. */
  readonly archived: Range[]
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
        filledAt: Number.NEGATIVE_INFINITY,
        forgottenAt: Number.NEGATIVE_INFINITY,
        archived: [],
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
        const source = newRows(watched, rows, bounds)
        for (const matcher of watched.matchers) {
          const found = await matched(session, matcher, source)
          for (const row of found) matcher.row(row)
          watched.waiting.push(
            ...matcher.take(),
            ...(await this.#late(session, watched, matcher, source, found)),
          )
        }
        if (bounds !== null) {
          // A time in the future must not empty the windows.
          const now = Math.min(bounds.last, Date.now() * MICROSECONDS)
          for (const matcher of watched.matchers) matcher.forget(now)
          watched.forgottenAt = Math.max(watched.forgottenAt, now)
          if (bounds.archived !== null) watched.archived.push(bounds.archived)
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
  async #fill(session: Session, watched: Watched, firstAt: number): Promise<void> {
    const { log, next, matchers } = watched
    if (next === 0) return
    watched.filledAt = Math.max(firstAt, Date.now() * MICROSECONDS - FILLED_DAYS * DAY_US)
    for (const matcher of matchers) {
      const from = watched.filledAt - matcher.horizon
      for (const row of await matched(session, matcher, seenRows(log, next, [[from, null]])))
        matcher.row(row, true)
    }
  }

  /**
   * Findings of rows that are so much older than others before them that the windows do not reach back: loads of old
   * logs, and lines from the quarantine. They are evaluated together with the rows around them in time.
   */
  async #late(
    session: Session,
    { log, next, filledAt, forgottenAt }: Watched,
    matcher: Matcher,
    source: Source,
    rows: readonly Row[],
  ): Promise<Finding[]> {
    const [oldest] = rows
    if (oldest === undefined) return []
    const completeFrom = (rule: Rule) => Math.max(filledAt, forgottenAt - spanOf(rule))
    const rules = matcher.rules.filter((rule) => !isForTerms(rule) && oldest[1] < completeFrom(rule))
    const late = new Matcher(log, rules, matcher.calendar)
    if (late.isEmpty) return []
    const until = Math.max(...rules.map(completeFrom))
    const times = rows.map(([, at]) => at).filter((at) => at < until)
    const around = seenRows(log, next, rangesAround(times, late.horizon))
    for (const row of await matched(session, late, around)) late.row(row, true)
    for (const row of await matched(session, late, source)) if (row[1] < until) late.row(row)
    return late.take()
  }

  async #keep(database: Database, actor: Actor, watched: Watched): Promise<number> {
    const { recorded, next, waiting } = watched
    if (recorded === null || next === recorded) return 0
    const due = watched.worthwhile && performance.now() - watched.recordedAt >= this.#keepIntervalMs
    if (waiting.length === 0 && !due) return 0
    const findings = [...new Map(waiting.map((finding) => [finding.id, finding])).values()]
    const fresh = await database.transaction(actor, async (session) => {
      const keep = ({ first, end }: Range, found: readonly Finding[]) =>
        keepRun(
          session,
          { kind: 'live', log: watched.log, first, end },
          watched.ruleset,
          found,
          this.#responses,
        )
      let first = recorded
      for (const hole of watched.archived) {
        if (hole.first > first) await keep({ first, end: hole.first }, [])
        first = hole.end
      }
      return await keep({ first, end: next }, findings)
    })
    watched.archived.length = 0
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

/** Ranges of time that reach so far to both sides of each time, without overlaps. @param times ascending */
export function rangesAround(times: readonly number[], reach: number): [number, number][] {
  const ranges: [number, number][] = []
  for (const at of times) {
    const last = ranges.at(-1)
    if (last !== undefined && at - reach <= last[1]) last[1] = at + reach
    else ranges.push([at - reach, at + reach])
  }
  return ranges
}

/** Rows `r` of a log in a FROM clause, and what of them is tested only where a rule matches, since it is expensive. */
interface Source {
  readonly from: (bind: Bind) => string
  readonly only?: (bind: Bind) => string
}

const timeOf = (micros: string) => `timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond'`

/**
 * The rows before a position of a log that are of these times, in microseconds. A row that is not sealed yet, or sealed at
 * a later position, has still to be evaluated, however old it is.
 */
function seenRows(
  log: SourceTable,
  next: number,
  ranges: readonly (readonly [number, number | null])[],
): Source {
  const array = (values: readonly (number | null)[]) => `{${values.map((value) => value ?? 'null').join()}}`
  return {
    from: (bind) =>
      `select r.* from unnest(${bind(array(ranges.map(([first]) => first)))}::bigint[],
           ${bind(array(ranges.map(([, last]) => last)))}::bigint[]) w (first, last)
         join ${schemaOf[log]}.${log} r on r.created_at between ${timeOf('w.first')} and coalesce(${timeOf('w.last')}, 'infinity')`,
    only: (bind) => `akashi_audit.position_of(${bind(log)}, id::uuid) < ${bind(next)}::bigint`,
  }
}

function newRows({ log, next }: Watched, rows: number, bounds: Bounds | null): Source {
  return {
    from: (bind) => {
      // Prunes partitions when the statement is planned.
      const within =
        bounds === null
          ? ''
          : ` where r.created_at between ${timeOf(bind(bounds.first - 1))} and ${timeOf(bind(bounds.last + 1))}`
      return `select r.* from akashi_audit.rows_from(${bind(log)}, ${bind(next)}, ${bind(rows)}) e
       join ${schemaOf[log]}.${log} r on (r.id, r.created_at) = (e.row_id, e.created_at)${within}`
    },
  }
}

/** In the order of time. */
async function matched(session: Session, matcher: Matcher, { from, only }: Source): Promise<Row[]> {
  const values: (string | number)[] = []
  const bind = (value: string | number) => `$${values.push(value)}`
  const { columns, where } = matcher.select(postgresql, bind)
  const chosen =
    only === undefined
      ? where
      : `, chosen as materialized (${where}) select * from chosen where ${only(bind)} order by micros, id`
  const { rows } = await session.query<Readonly<Record<string, string | null>>>(
    `with matched as (select ${columns} from (${from(bind)}) r) ${chosen}`,
    values,
  )
  return rows.map((row): Row => {
    const { id, micros, passed, ...fields } = row
    return [id ?? '', Number(micros), passed ?? '', ...Object.values(fields)]
  })
}
