import { AkashiError, type Config, redactText } from '../../foundation/index.ts'
import type { Actor } from '../../postgres/index.ts'

export interface Finding {
  readonly ok: boolean
  /** What was found, one line. */
  readonly detail: string
  /** How to mend it, or what to know although it is in order. */
  readonly hint?: string
}

/** One thing that can be wrong. A check leaves nothing changed; what it throws is its finding. */
export interface Check {
  readonly name: string
  run(context: CheckContext): Promise<Finding> | Finding
}

export interface CheckContext {
  readonly config: Config
  readonly actor: Actor
  readonly signal: AbortSignal
}

/** As `doctor --json` shows it. */
export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  readonly hint: string | null
}

/** All results in the order of the checks; one that fails keeps no other from running. */
export async function runChecks(checks: readonly Check[], context: CheckContext): Promise<CheckResult[]> {
  const results: CheckResult[] = []
  for (const check of checks)
    results.push(await resultOf(check.name, context.signal, () => check.run(context)))
  return results
}

/** The finding of `work`, also when it throws; only being cancelled ends the examination. */
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
