/** What rules would have found, before they go live. */
import { MAX_BACKTEST_FINDINGS } from '@akashi/contract'
import { AkashiError } from '../foundation/index.ts'
import type { Queries } from '../lifecycle/index.ts'
import type { Actor } from '../postgres/index.ts'
import type { Configured } from './configured.ts'
import type { Finding } from './correlate.ts'
import { type HistoryLimits, type HistoryRange, runHistory } from './history.ts'
import { reporting, ruleNamed } from './report.ts'
import type { Rule } from './rule/ast.ts'
import { parseRules, type Refusal } from './rule/parse.ts'

export interface BacktestRequest extends HistoryRange, HistoryLimits {
  /** Name or id; default all. */
  readonly rule?: string
  /** Rules in YAML to use instead of the configured ones. */
  readonly text?: string
}

export interface BacktestResult {
  /** The first findings, by time. */
  readonly findings: readonly Finding[]
  readonly total: number
  /** Days in UTC with their findings. */
  readonly days: readonly { readonly day: string; readonly findings: number }[]
  readonly matched: number
  readonly truncated: boolean
  readonly rules: readonly Rule[]
  readonly refused: readonly Refusal[]
}

/** @throws AkashiError not_found for an unknown rule, invalid_input where no rule of the text compiles */
export async function backtest(
  queries: Queries,
  actor: Actor,
  configured: Configured,
  request: BacktestRequest,
): Promise<BacktestResult> {
  const { rules, refused } =
    request.text === undefined
      ? { rules: chosen(configured.rules, request.rule), refused: configured.refused }
      : tried(request.text)
  const { findings, matched, truncated } = await runHistory(
    queries,
    actor,
    rules,
    configured.calendar,
    request,
  )
  const sorted = findings.toSorted((a, b) => a.firstAt - b.firstAt)
  const days = new Map<string, number>()
  for (const { firstAt } of sorted) {
    const day = new Date(firstAt / 1_000).toISOString().slice(0, 10)
    days.set(day, (days.get(day) ?? 0) + 1)
  }
  return {
    findings: sorted.slice(0, MAX_BACKTEST_FINDINGS),
    total: sorted.length,
    days: [...days].map(([day, count]) => ({ day, findings: count })),
    matched,
    truncated,
    rules: reporting(rules),
    refused,
  }
}

function chosen(rules: readonly Rule[], wanted: string | undefined): readonly Rule[] {
  if (wanted === undefined) return rules
  const rule = ruleNamed(rules, wanted)
  if (rule === undefined) {
    throw new AkashiError('not_found', `there is no rule ${wanted}`, {
      hint: 'akashi detect rules lists them',
    })
  }
  return [rule.kind === 'event' ? { ...rule, reports: true } : rule]
}

function tried(text: string) {
  const parsed = parseRules([{ file: 'text', text }])
  if (parsed.rules.length > 0) return parsed
  const [first] = parsed.refused
  throw new AkashiError(
    'invalid_input',
    first === undefined ? 'the text contains no rule' : `line ${first.line}: ${first.reason}`,
    { hint: 'write it as docs/detection.md shows' },
  )
}
