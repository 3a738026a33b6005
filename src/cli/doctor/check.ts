import { AkashiError, type Config, redactText } from '../../foundation/index.ts'
import type { Actor } from '../../postgres/index.ts'

export interface Finding {
  readonly ok: boolean
  /** What was found, one line. */
  readonly detail: string
  /** How to fix it, or advice although it is ok. */
  readonly hint?: string
}

/** A check changes nothing; an error that it throws is its finding. */
export interface Check {
  readonly name: string
  run(context: CheckContext): Promise<Finding> | Finding
}

export interface CheckContext {
  readonly config: Config
  readonly actor: Actor
  readonly signal: AbortSignal
}

/** As printed by `doctor --json`. */
export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  readonly hint: string | null
}

/** Runs all checks in order, also after one fails. */
export async function runChecks(checks: readonly Check[], context: CheckContext): Promise<CheckResult[]> {
  const results: CheckResult[] = []
  for (const check of checks)
    results.push(await resultOf(check.name, context.signal, () => check.run(context)))
  return results
}

/** The finding of `work`, also when it throws; throws only when cancelled. */
export async function resultOf(
  name: string,
  signal: AbortSignal,
  work: () => Promise<Finding> | Finding,
): Promise<CheckResult> {
  signal.throwIfAborted()
  try {
    return toResult(name, await work())
  } catch (error) {
    signal.throwIfAborted()
    const detail = error instanceof Error ? error.message : String(error)
    const hint = error instanceof AkashiError ? error.hint : undefined
    return toResult(name, { ok: false, detail, ...(hint === undefined ? {} : { hint }) })
  }
}

function toResult(name: string, { ok, detail, hint }: Finding): CheckResult {
  const oneLine = redactText(detail).replaceAll(':\n', ': ').replaceAll('\n', '; ')
  return { name, ok, detail: oneLine, hint: hint === undefined ? null : redactText(hint) }
}
