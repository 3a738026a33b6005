/** Stores findings and what was evaluated. Each run is in the audit trail, and thereby sealed. */
import { createHash } from 'node:crypto'
import { detectionLogs } from '@akashi/contract'
import type { Queries } from '../lifecycle/index.ts'
import type { Actor, Database, Session } from '../postgres/index.ts'
import { type AkashiEventType, recordEvent, type Severity } from '../security/index.ts'
import type { Calendar } from './calendar.ts'
import type { Finding } from './correlate.ts'
import { type HistoryLimits, type HistoryRange, type HistoryResult, runHistory, tableOf } from './history.ts'
import { noResponses, type Responses, respond } from './respond.ts'
import type { Level, Rule, SourceTable } from './rule/ast.ts'
import { boundsOf, sealedSize } from './sealed.ts'

/** Days in which a finding must be dealt with. */
const DUE_DAYS: Readonly<Record<Severity, number>> = { critical: 1, high: 3, medium: 14, low: 30, info: 30 }
/** Maximum findings per statement. */
const AT_ONCE = 500
/** Rows at the end of a log that are checked, to find out whether they only record earlier runs. */
const TAIL_ROWS = 10_000
/** What a run has evaluated. */
export interface Seen {
  readonly kind: 'live' | 'history'
  readonly log: SourceTable
  readonly first: number
  /** The first position that it has not seen. */
  readonly end: number
  readonly from?: Date | null
  readonly to?: Date | null
}

export interface Ruleset {
  readonly digest: Buffer
  readonly rules: readonly { readonly id: string; readonly name: string; readonly hash: string }[]
}

export function rulesetOf(rules: readonly Rule[]): Ruleset {
  const list = rules
    .filter((rule) => rule.kind === 'correlation' || rule.reports)
    .map(({ id, name, hash }) => ({ id, name: name ?? id, hash }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  return { digest: createHash('sha256').update(JSON.stringify(list)).digest(), rules: list }
}

/**
 * Stores the findings of a run and what it has evaluated, in the caller's transaction: both or neither. A
 * known finding is extended; a new one is also recorded as an event, and may trigger a response. Findings in
 * the past trigger none.
 *
 * @returns how many were new
 */
export async function keepRun(
  session: Session,
  seen: Seen,
  ruleset: Ruleset,
  findings: readonly Finding[],
  responses: Responses = noResponses,
): Promise<number> {
  await session.query(
    'insert into akashi_security.detection_rulesets (digest, rules) values ($1, $2) on conflict do nothing',
    [ruleset.digest, JSON.stringify(ruleset.rules)],
  )
  let fresh = 0
  for (let at = 0; at < findings.length; at += AT_ONCE) {
    const some = findings.slice(at, at + AT_ONCE)
    const isNew = await upsert(session, seen.log, some)
    for (const finding of some) {
      if (!isNew.has(finding.id)) continue
      fresh += 1
      await recordFinding(session, finding)
      await respond(session, finding, responses)
    }
  }
  await session.query(
    `insert into akashi_security.detection_runs (kind, log, first_position, end_position, from_time, to_time, ruleset, findings)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      seen.kind,
      seen.log,
      seen.first,
      seen.end,
      seen.from ?? null,
      seen.to ?? null,
      ruleset.digest,
      findings.map(({ id }) => id),
    ],
  )
  return fresh
}

async function upsert(
  session: Session,
  log: SourceTable,
  findings: readonly Finding[],
): Promise<Set<string>> {
  const { rows } = await session.query<{ id: string; fresh: boolean }>(
    `insert into akashi_security.detection_findings as f
       (id, rule_id, rule_name, rule_hash, title, severity, log, subject, entity, first_at, last_at, event_count, events, due_at)
     select g.id, g.rule_id, g.rule_name, decode(g.rule_hash, 'hex'), g.title, g.severity, $2, g.subject, g.entity,
       timestamptz 'epoch' + g.first_at * interval '1 microsecond', timestamptz 'epoch' + g.last_at * interval '1 microsecond',
       g.event_count, array(select jsonb_array_elements_text(g.events)::uuid), now() + g.due_days * interval '1 day'
     from jsonb_to_recordset($1::jsonb) g (id uuid, rule_id text, rule_name text, rule_hash text, title text, severity text,
       subject jsonb, entity text, first_at bigint, last_at bigint, event_count bigint, events jsonb, due_days integer)
     on conflict (id) do update set
       rule_hash = excluded.rule_hash, first_at = least(f.first_at, excluded.first_at), last_at = greatest(f.last_at, excluded.last_at),
       event_count = greatest(f.event_count, excluded.event_count),
       events = case when excluded.event_count > f.event_count then excluded.events else f.events end
     where excluded.event_count > f.event_count or excluded.first_at < f.first_at or excluded.last_at > f.last_at
     returning f.id, f.xmax = 0 as fresh`,
    [JSON.stringify(findings.map(rowOf)), log],
  )
  return new Set(rows.filter(({ fresh }) => fresh).map(({ id }) => id))
}

function rowOf({ id, rule, subject, firstAt, lastAt, count, events }: Finding) {
  const severity = severityOf(rule.level)
  return {
    id,
    rule_id: rule.id,
    rule_name: rule.name ?? rule.id,
    rule_hash: rule.hash,
    title: rule.title,
    severity,
    subject,
    entity: Object.values(subject).find((value) => value !== null) ?? '',
    first_at: firstAt,
    last_at: lastAt,
    event_count: count,
    events,
    due_days: DUE_DAYS[severity],
  }
}

export function severityOf(level: Level): Severity {
  return level === 'informational' ? 'info' : level
}

/** Findings of these rules have their own event types, with this name for the count in the details. */
const types: Readonly<Record<string, readonly [AkashiEventType, string]>> = {
  brute_force_by_address: ['brute_force_detected', 'failed_attempts'],
  brute_force_by_account: ['brute_force_detected', 'failed_attempts'],
  unusual_access_pattern: ['unusual_access_pattern', 'access_count'],
}
const MICROSECONDS_A_MINUTE = 60_000_000

async function recordFinding(session: Session, finding: Finding): Promise<void> {
  const { id, rule, subject, count, firstAt, lastAt } = finding
  const [type, countName] = types[rule.name ?? ''] ?? (['detection_finding', 'event_count'] as const)
  const span = rule.kind === 'event' ? rule.suppression : rule.timespan
  await recordEvent(session, {
    event_type: type,
    severity: severityOf(rule.level),
    source_service: 'security_monitor',
    description: rule.title,
    action_performed: 'anomaly_detection',
    resource_type: 'finding',
    resource_id: id,
    user_name: subject['user_name'] ?? null,
    user_id: subject['user_id'] ?? null,
    source_ip: subject['source_ip'] ?? null,
    event_details: {
      rule: rule.name ?? rule.id,
      rule_hash: rule.hash,
      attack: rule.attack,
      subject,
      [countName]: count,
      time_window: `${span / MICROSECONDS_A_MINUTE} minutes`,
      first_at: new Date(firstAt / 1000).toISOString(),
      last_at: new Date(lastAt / 1000).toISOString(),
    },
  })
}

/** A part of a log that a rule has not evaluated. */
export interface Gap {
  readonly rule: string
  readonly log: SourceTable
  readonly first: number
  /** The first position behind the gap. */
  readonly end: number
  /** The worker's position: it continues from here, and records what it has evaluated within a minute. */
  readonly waiting: boolean
}

export interface Coverage {
  readonly log: SourceTable
  readonly sealed: number
  /** Rules that have evaluated all positions, and the total number of rules. */
  readonly covered: number
  readonly rules: number
  readonly gaps: readonly Gap[]
}

/**
 * The parts of each log that the current rules have not evaluated. A run over a time range counts if the
 * range contained all sealed rows of the log; otherwise it leaves the gap unchanged.
 */
export async function coverageOf(
  database: Database,
  actor: Actor,
  rules: readonly Rule[],
): Promise<Coverage[]> {
  return await database.transaction(
    actor,
    async (session) => {
      const found: Coverage[] = []
      for (const log of detectionLogs) {
        const own = rulesetOf(rules.filter((rule) => tableOf(rule) === log)).rules
        if (own.length === 0) continue
        const sealed = await sealedSize(session, log)
        const { rows } = await session.query<{
          kind: string
          first: number
          end: number
          rules: readonly { hash: string }[]
        }>(
          `select r.kind, r.first_position::float8 as first, r.end_position::float8 as "end", s.rules
           from akashi_security.detection_runs r join akashi_security.detection_rulesets s on s.digest = r.ruleset
           where r.log = $1 and r.from_time is null and r.to_time is null order by r.first_position`,
          [log],
        )
        type Run = (typeof rows)[number]
        const live = rows
          .filter(({ kind }) => kind === 'live')
          .reduce<Run | null>((last, run) => (last === null || run.end > last.end ? run : last), null)
        // A longer rest is not looked through, and counts as not evaluated.
        const tail =
          live === null || sealed - live.end > TAIL_ROWS
            ? null
            : await boundsOf(session, log, live.end, sealed - live.end)
        const isOwn = sealed === live?.end || tail?.others === 0
        const gaps = own.flatMap(({ name, hash }) => {
          const has = (run: Run) => run.rules.some((rule) => rule.hash === hash)
          return gapsOf(rows.filter(has), sealed).flatMap((gap): Gap[] => {
            const waiting = live !== null && has(live) && gap.first === live.end
            // Only the records of earlier runs.
            if (waiting && isOwn) return []
            return [{ rule: name, log, ...gap, waiting }]
          })
        })
        found.push({
          log,
          sealed,
          covered: own.length - new Set(gaps.map(({ rule }) => rule)).size,
          rules: own.length,
          gaps,
        })
      }
      return found
    },
    { readOnly: true, isolation: 'repeatable read' },
  )
}

/** The parts of [0, size) not covered by the ranges, which are sorted by their start. */
export function gapsOf(
  ranges: readonly { readonly first: number; readonly end: number }[],
  size: number,
): { first: number; end: number }[] {
  const gaps: { first: number; end: number }[] = []
  let covered = 0
  for (const { first, end } of ranges) {
    if (first > covered) gaps.push({ first: covered, end: Math.min(first, size) })
    covered = Math.max(covered, end)
  }
  if (covered < size) gaps.push({ first: covered, end: size })
  return gaps.filter((gap) => gap.first < gap.end)
}

/** Runs all rules over the events of a time range, and stores the findings and what was evaluated. */
export async function runAndKeep(
  parts: {
    readonly queries: Queries
    readonly database: Database
    readonly actor: Actor
    readonly rules: readonly Rule[]
    readonly calendar: Calendar
  },
  range: HistoryRange & HistoryLimits,
): Promise<Omit<HistoryResult, 'until'> & { readonly fresh: number }> {
  const { queries, database, actor, rules, calendar } = parts
  const findings: Finding[] = []
  let matched = 0
  let fresh = 0
  let truncated = false
  for (const log of detectionLogs) {
    const own = rules.filter((rule) => tableOf(rule) === log)
    if (own.length === 0) continue
    // Read before the run, since rows sealed meanwhile may not be evaluated.
    const end = await database.transaction(actor, (session) => sealedSize(session, log), { readOnly: true })
    const found = await runHistory(queries, actor, own, calendar, range)
    fresh += await database.transaction(actor, (session) =>
      keepRun(
        session,
        // What was not evaluated is not covered.
        { kind: 'history', log, first: 0, end, from: range.from, to: found.until ?? range.to },
        rulesetOf(own),
        found.findings,
      ),
    )
    findings.push(...found.findings)
    matched += found.matched
    truncated ||= found.truncated
  }
  return { findings, matched, fresh, truncated }
}
