/**
 * A finding that anyone can verify with the public key alone: the text of its rule, a proof of each of its
 * events, and a proof of the rows of the trail that record which runs evaluated them.
 */
import { createHash } from 'node:crypto'
import { detectionLogs } from '@akashi/contract'
import { z } from 'zod'
import { logNamed, type ProofBundle, type Proven, proveRow, recordHistory } from '../audit/index.ts'
import { AkashiError, given } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { calendarOf } from './calendar.ts'
import type { Configured } from './configured.ts'
import { evaluate, type PlainEvent } from './evaluate.ts'
import { readFinding } from './findings.ts'
import { Matcher } from './matcher.ts'
import { ruleNamed } from './report.ts'
import type { EventRule, Rule } from './rule/ast.ts'
import { parseRules } from './rule/parse.ts'

const BUNDLE_VERSION = 1
/** Runs that a bundle names: the first that saw the finding, and the last. */
const MAX_RUNS = 10
const MICROSECONDS = 1_000

const proof = z.custom<ProofBundle>((value) => typeof value === 'object' && value !== null)
const findingBundle = z.strictObject({
  version: z.literal(BUNDLE_VERSION),
  finding: z.object({
    id: z.guid(),
    rule: z.string(),
    ruleHash: z.string(),
    title: z.string(),
    severity: z.string(),
    log: z.enum(detectionLogs),
    subject: z.record(z.string(), z.string().nullable()),
    count: z.number(),
    firstAt: z.string(),
    lastAt: z.string(),
  }),
  /** The rule, after the rules that it refers to, and the settings that affect it. */
  rule: z.strictObject({
    texts: z.array(z.string()).readonly(),
    override: z
      .strictObject({ threshold: z.number().optional(), timespan: z.string().optional() })
      .nullable(),
    timeZone: z.string(),
    holidays: z.array(z.string()).readonly(),
  }),
  /** In the order of time. */
  events: z.array(proof).readonly(),
  /** Rows of the trail: what was evaluated, and which rules ran together. */
  runs: z
    .array(
      z.strictObject({
        proof,
        rules: z.array(z.object({ id: z.string(), name: z.string(), hash: z.string() })).readonly(),
      }),
    )
    .readonly(),
})
export type FindingBundle = z.output<typeof findingBundle>

/**
 * @throws AkashiError not_found for an unknown finding or an event that is archived, conflict while something
 * is not sealed yet or if the rule has changed
 */
export async function bundleFinding(
  database: Database,
  actor: Actor,
  configured: Configured,
  id: string,
): Promise<FindingBundle> {
  const found = await readFinding(database, actor, id)
  const rule = ruleNamed(configured.rules, found.ruleId)
  if (rule?.hash !== found.ruleHash) {
    throw new AkashiError('conflict', `the rule ${found.rule} has changed since it made this finding`, {
      hint: 'prove its events one by one with akashi audit prove',
    })
  }
  const override = configured.overrides[rule.name ?? rule.id]
  const { firstAt, lastAt, ruleHash, title, severity, log, subject, count } = found
  const events: ProofBundle[] = []
  for (const event of [...found.evidence.map((row) => String(row['id'])), ...found.archived]) {
    events.push(await proveRow(database, actor, logNamed(log), event))
  }
  return {
    version: BUNDLE_VERSION,
    finding: { id, rule: found.rule, ruleHash, title, severity, log, subject, count, firstAt, lastAt },
    rule: {
      texts: [
        ...new Set(
          rule.kind === 'event' ? [rule.text] : [...rule.parts.map((part) => part.rule.text), rule.text],
        ),
      ],
      override:
        override === undefined ? null : given({ threshold: override.threshold, timespan: override.timespan }),
      timeZone: configured.timeZone,
      holidays: configured.holidays,
    },
    events,
    runs: await proveRuns(database, actor, id),
  }
}

async function proveRuns(database: Database, actor: Actor, id: string): Promise<FindingBundle['runs']> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ run: string; rules: FindingBundle['runs'][number]['rules'] }>(
        `select run, rules from (
           select r.id as run, s.rules, row_number() over (order by r.created_at) as at, count(*) over () as of
           from akashi_security.detection_runs r join akashi_security.detection_rulesets s on s.digest = r.ruleset
           where r.findings @> array[$1::uuid]
         ) runs where at <= $2::integer / 2 or at > of - $2::integer / 2 order by at`,
        [id, MAX_RUNS],
      ),
    { readOnly: true },
  )
  const runs: FindingBundle['runs'][number][] = []
  for (const { run, rules } of rows) {
    const history = await recordHistory(database, actor, {
      schema: 'akashi_security',
      table: 'detection_runs',
      recordId: run,
    })
    const [version] = history.rows
    if (version === undefined) throw new AkashiError('not_found', `the trail does not have run ${run}`)
    runs.push({ proof: await proveRow(database, actor, logNamed('audit_logs'), version.id), rules })
  }
  return runs
}

export interface ProvenFinding {
  readonly id: string
  readonly rule: string
  readonly events: number
  /** Whether these are all events of the finding. */
  readonly complete: boolean
  /**
   * Whether the rule gives the same finding for these events alone; a rule for new values needs earlier
   * events.
   */
  readonly foundAgain: boolean
  readonly runs: number
}

/**
 * Checks a bundle without database or network.
 *
 * @param check checks one proof, by keys or by a policy
 * @throws AkashiError integrity naming what is wrong
 */
export function checkFindingBundle(text: unknown, check: (bundle: unknown) => Proven): ProvenFinding {
  const parsed = findingBundle.safeParse(text)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw wrong(
      `it is not a bundle of this version: ${[issue?.path.join('.'), issue?.message].filter(Boolean).join(' ')}`,
    )
  }
  const { finding, events, runs } = parsed.data
  const rule = ruleOf(parsed.data)
  if (events.length === 0) throw wrong('it has no events')
  if (runs.length === 0) throw wrong('it has no run')
  const proven = events.map((event) => check(event))
  if (new Set(proven.map(({ id }) => id)).size !== proven.length) throw wrong('it has an event twice')
  if (proven.some(({ log }) => log !== finding.log)) throw wrong(`an event does not belong to ${finding.log}`)
  const seen = Math.max(...runs.map((run) => endOf(run, finding, check)))
  const unseen = proven.find(({ position }) => Number(position) >= seen)
  if (unseen !== undefined) throw wrong(`no run has evaluated its event ${unseen.id}`)
  return {
    id: finding.id,
    rule: finding.rule,
    events: events.length,
    complete: events.length === finding.count,
    foundAgain: findAgain(parsed.data, rule),
    runs: runs.length,
  }
}

function ruleOf({ rule: { texts, override }, finding: { rule: name, ruleHash } }: FindingBundle): Rule {
  const { rules } = parseRules(
    texts.map((text, at) => ({ file: `rule ${at + 1}`, text })),
    override === null ? {} : { [name]: given(override) },
  )
  const rule = rules.find(({ hash }) => hash === ruleHash)
  if (rule === undefined) throw wrong('its rule does not have the hash in the finding')
  return rule
}

/** The first position that a run has not seen. */
function endOf(
  { proof: bundle, rules }: FindingBundle['runs'][number],
  finding: FindingBundle['finding'],
  check: (bundle: unknown) => Proven,
): number {
  check(bundle)
  const { schema_name: schema, table_name: table, operation, new_values: values } = bundle.row
  const run: unknown = typeof values === 'string' ? JSON.parse(values) : null
  const read = z
    .object({
      log: z.string(),
      ruleset: z.string(),
      findings: z.array(z.string()).readonly(),
      end_position: z.coerce.number<unknown>(),
    })
    .safeParse(run)
  if (schema !== 'akashi_security' || table !== 'detection_runs' || operation !== 'INSERT' || !read.success)
    throw wrong('one of its runs is not a run')
  if (read.data.log !== finding.log || !read.data.findings.includes(finding.id))
    throw wrong('a run does not contain the finding')
  const list = rules.map(({ id, name, hash }) => ({ id, name, hash }))
  const digest = createHash('sha256').update(JSON.stringify(list)).digest('hex')
  if (read.data.ruleset !== `\\x${digest}`) throw wrong('the rules of a run are not those that it recorded')
  if (!rules.some(({ hash }) => hash === finding.ruleHash)) throw wrong('a run did not have the rule')
  return read.data.end_position
}

/** Checks that the rule matches every event, and whether together they give the finding. */
function findAgain({ finding, events, rule: { timeZone, holidays } }: FindingBundle, rule: Rule): boolean {
  const calendar = calendarOf(timeZone, holidays)
  const parts: readonly EventRule[] = rule.kind === 'event' ? [rule] : rule.parts.map((part) => part.rule)
  const matcher = new Matcher(
    finding.log,
    [rule.kind === 'event' ? { ...rule, reports: true } : rule],
    calendar,
  )
  for (const { row } of events) {
    const event = eventOf(row)
    if (!parts.some(({ expression }) => evaluate(expression, event, calendar)))
      throw wrong(`the rule does not match event ${String(row['id'])}`)
    matcher.event(String(row['id']), event)
  }
  return matcher.take().some(({ id }) => id === finding.id)
}

/** The row of a proof: every column is text. */
function eventOf(row: ProofBundle['row']): PlainEvent {
  const json = ['compliance_context', 'detail', 'event_details', 'new_values', 'old_values']
  const read = Object.entries(row).map(([name, value]) => [
    name,
    json.includes(name) && typeof value === 'string' ? JSON.parse(value) : value,
  ])
  const [, seconds = '', micros = '0'] = /^(.*)\.(\d{6})Z$/.exec(String(row['created_at'])) ?? []
  return {
    ...(Object.fromEntries(read) as Readonly<Record<string, unknown>>),
    created_at: Date.parse(`${seconds}Z`) * MICROSECONDS + Number(micros),
  }
}

function wrong(what: string): AkashiError {
  return new AkashiError('integrity', `the bundle of the finding is not valid: ${what}`, {
    hint: 'get it and the keys again from their sources; if it still fails, the finding is not proven',
  })
}
