/** Reports about rules: findings and noise of each, and the techniques that they cover. */
import type { Severity } from '@akashi/contract'
import type { Actor, Database } from '../postgres/index.ts'
import { calendarOf } from './calendar.ts'
import type { Configured } from './configured.ts'
import { openStates } from './findings.ts'
import { historySql, tableOf } from './history.ts'
import { Matcher } from './matcher.ts'
import { type TestResult, testRules } from './pack.ts'
import { type Rule, type SourceTable, tactics } from './rule/ast.ts'
import { severityOf } from './store.ts'

/** Days whose findings are counted, and days over which the noise is averaged. */
const COUNTED_DAYS = 30
const NOISE_DAYS = 7
/** The time zone in which the tests of our pack are written. */
const TEST_ZONE = 'Asia/Tokyo'
const MICROSECONDS = 1_000_000

export interface RuleReport {
  readonly id: string
  readonly name: string
  readonly title: string
  readonly titleJa: string | null
  readonly severity: Severity
  readonly log: SourceTable
  readonly attack: readonly string[]
  readonly tactics: readonly string[]
  readonly hash: string
  readonly findings: number
  readonly open: number
  readonly falsePositives: number
  /** Share of the decided findings, 0 to 1. */
  readonly falsePositiveRate: number | null
  readonly lastAt: string | null
  readonly days: readonly { readonly day: string; readonly findings: number }[]
  readonly noise: { readonly perDay: number; readonly budget: number; readonly exceeded: boolean }
  readonly tests: { readonly passed: number; readonly failed: number }
}

export interface ExplainedRule extends RuleReport {
  readonly description: string | null
  readonly descriptionJa: string | null
  readonly falsePositiveCauses: readonly string[]
  readonly file: string
  readonly groupBy: readonly string[]
  /** null for a rule for single events. */
  readonly timespanSeconds: number | null
  readonly suppressionSeconds: number
  readonly condition: readonly { readonly comparison: string; readonly value: number }[]
  readonly testResults: readonly {
    readonly name: string
    readonly finds: boolean
    readonly passed: boolean
  }[]
  readonly sql: string
}

export function reporting(rules: readonly Rule[]): Rule[] {
  return rules.filter((rule) => rule.kind === 'correlation' || rule.reports)
}

/** A rule by name or id. */
export function ruleNamed(rules: readonly Rule[], wanted: string): Rule | undefined {
  return rules.find(({ id, name }) => id === wanted || name === wanted)
}

export async function reportRules(
  database: Database,
  actor: Actor,
  { rules, noiseBudget, noiseBudgets }: Configured,
): Promise<RuleReport[]> {
  interface Counted {
    readonly id: string
    readonly findings: number
    readonly open: number
    readonly falsePositives: number
    readonly falsePositiveRate: number | null
    readonly lastAt: string
  }
  const { counts, days } = await database.transaction(
    actor,
    async (session) => ({
      counts: await session.query<Counted>(
        `select rule_id as id, findings::float8, open::float8, false_positives::float8 as "falsePositives",
           false_positive_rate::float8 as "falsePositiveRate", last_at as "lastAt" from akashi_security.v_detection_rules`,
      ),
      days: await session.query<{ id: string; day: string; findings: number; recent: boolean }>(
        `select rule_id as id, to_char(first_at at time zone 'UTC', 'YYYY-MM-DD') as day, count(*)::float8 as findings,
           min(first_at) > now() - make_interval(days => $2) as recent
         from akashi_security.detection_findings where first_at > now() - make_interval(days => $1) group by 1, 2 order by 1, 2`,
        [COUNTED_DAYS, NOISE_DAYS],
      ),
    }),
    { readOnly: true },
  )
  const counted = new Map(counts.rows.map((row) => [row.id, row]))
  const byRule = Map.groupBy(days.rows, ({ id }) => id)
  const tests = Map.groupBy(testResults(rules), ({ rule }) => rule.id)
  return reporting(rules).map((rule): RuleReport => {
    const own = byRule.get(rule.id) ?? []
    const perDay = own.reduce((sum, { findings, recent }) => sum + (recent ? findings : 0), 0) / NOISE_DAYS
    const results = tests.get(rule.id) ?? []
    const passed = results.filter((result) => result.passed).length
    const count = counted.get(rule.id)
    const budget = noiseBudgets.get(rule.name ?? rule.id) ?? noiseBudgets.get(rule.id) ?? noiseBudget
    return {
      id: rule.id,
      name: rule.name ?? rule.id,
      title: rule.title,
      titleJa: rule.titleJa,
      severity: severityOf(rule.level),
      log: tableOf(rule),
      attack: rule.attack,
      tactics: rule.tactics,
      hash: rule.hash,
      findings: count?.findings ?? 0,
      open: count?.open ?? 0,
      falsePositives: count?.falsePositives ?? 0,
      falsePositiveRate: count?.falsePositiveRate ?? null,
      lastAt: count?.lastAt ?? null,
      days: own.map(({ day, findings }) => ({ day, findings })),
      noise: { perDay: Math.round(perDay * 100) / 100, budget, exceeded: perDay > budget },
      tests: { passed, failed: results.length - passed },
    }
  })
}

/** Test results depend only on the rules, and there are few sets of rules. */
let tested: { readonly hashes: string; readonly results: readonly TestResult[] } | undefined

function testResults(rules: readonly Rule[]): readonly TestResult[] {
  const hashes = rules.map(({ hash }) => hash).join()
  if (tested?.hashes !== hashes) tested = { hashes, results: testRules(rules, TEST_ZONE) }
  return tested.results
}

/** Which events a rule matches, in the SQL of DuckDB. */
export function sqlOf(rule: Rule): string {
  const asked = rule.kind === 'event' ? { ...rule, reports: true } : rule
  return historySql(new Matcher(tableOf(rule), [asked], calendarOf(TEST_ZONE, [])), { from: null, to: null })
}

export function explainRule(rule: Rule, report: RuleReport): ExplainedRule {
  return {
    ...report,
    description: rule.description,
    descriptionJa: rule.descriptionJa,
    falsePositiveCauses: rule.falsePositives,
    file: rule.file,
    groupBy: rule.groupNames,
    timespanSeconds: rule.kind === 'event' ? null : rule.timespan / MICROSECONDS,
    suppressionSeconds: rule.suppression / MICROSECONDS,
    condition: rule.kind === 'event' ? [] : rule.condition,
    testResults: testRules([rule], TEST_ZONE).map(({ test, passed }) => ({
      name: test.name,
      finds: test.finds,
      passed,
    })),
    sql: sqlOf(rule),
  }
}

export interface TacticRow {
  readonly tactic: string
  readonly techniques: readonly {
    readonly technique: string
    /** Names. */
    readonly rules: readonly string[]
    /** Within the counted days. */
    readonly findings: number
    readonly open: number
  }[]
}

/** Rules by tactic and technique of MITRE ATT&CK. */
export function matrixOf(reports: readonly RuleReport[]): TacticRow[] {
  return tactics.flatMap((tactic): TacticRow[] => {
    const own = reports.filter((report) => report.tactics.includes(tactic))
    const techniques = [...new Set(own.flatMap(({ attack }) => attack))].sort()
    if (techniques.length === 0) return []
    return [
      {
        tactic,
        techniques: techniques.map((technique) => {
          const rules = own.filter(({ attack }) => attack.includes(technique))
          return {
            technique,
            rules: rules.map(({ name }) => name),
            findings: rules.reduce(
              (sum, { days }) => sum + days.reduce((total, { findings }) => total + findings, 0),
              0,
            ),
            open: rules.reduce((sum, { open }) => sum + open, 0),
          }
        }),
      },
    ]
  })
}

/** Figures for metrics. */
export interface DetectionState {
  readonly open: readonly { readonly severity: Severity; readonly findings: number }[]
  /** Open findings past their due date. */
  readonly overdue: number
  /** Sealed rows behind the last that the worker has recorded as seen. */
  readonly unseen: readonly { readonly log: SourceTable; readonly rows: number }[]
}

export async function detectionState(database: Database, actor: Actor): Promise<DetectionState> {
  return await database.transaction(
    actor,
    async (session) => {
      const { rows } = await session.query<{ severity: Severity; findings: number; overdue: number }>(
        `select severity, count(*)::float8 as findings, count(*) filter (where due_at < now())::float8 as overdue
         from akashi_security.detection_findings where status = any($1::text[]) group by severity`,
        [openStates],
      )
      const unseen = await session.query<DetectionState['unseen'][number]>(
        `select log, greatest(akashi_audit.sealed_size(log) - max(end_position), 0)::float8 as rows
         from akashi_security.detection_runs where kind = 'live' group by log`,
      )
      return {
        open: rows.map(({ severity, findings }) => ({ severity, findings })),
        overdue: rows.reduce((sum, { overdue }) => sum + overdue, 0),
        unseen: unseen.rows,
      }
    },
    { readOnly: true },
  )
}
