import type { DiagnosisCheck } from '@akashi/contract'
import { AkashiError, given, redactText } from '../../foundation/index.ts'
import type { Actor } from '../../postgres/index.ts'
import type { Settings } from '../settings.ts'

export interface Finding {
  readonly ok: boolean
  /** What was found, one line. */
  readonly detail: string
  /** How to fix it, or advice although it is ok. */
  readonly hint?: string
}

/** A check changes nothing; an error that it throws becomes its finding. */
export interface Check {
  readonly name: string
  run(context: CheckContext): Promise<Finding> | Finding
}

export interface CheckContext {
  readonly config: Settings
  readonly actor: Actor
  readonly signal: AbortSignal
  /** Names of the checks before this one that found something wrong. */
  readonly wrong: ReadonlySet<string>
}

export type Area = DiagnosisCheck['area']

/** A check with its place in the report, and the points that it takes from the score while it is wrong. */
export interface Placed {
  readonly area: Area
  readonly points: number
  readonly check: Check
}

/** Runs all checks in order, also after one fails. */
export async function runChecks(
  checks: readonly Placed[],
  context: Omit<CheckContext, 'wrong'>,
): Promise<DiagnosisCheck[]> {
  const results: DiagnosisCheck[] = []
  for (const { check, ...place } of checks) {
    const wrong = new Set(results.filter(({ ok }) => !ok).map(({ name }) => name))
    results.push(
      await resultOf({ ...place, name: check.name }, context.signal, () => check.run({ ...context, wrong })),
    )
  }
  return results
}

/** The finding of `work`, also when it throws; throws only when cancelled. */
export async function resultOf(
  place: Omit<Placed, 'check'> & { readonly name: string },
  signal: AbortSignal,
  work: () => Promise<Finding> | Finding,
): Promise<DiagnosisCheck> {
  signal.throwIfAborted()
  try {
    return toResult(place, await work())
  } catch (error) {
    signal.throwIfAborted()
    const detail = error instanceof Error ? error.message : String(error)
    const hint = error instanceof AkashiError ? error.hint : undefined
    return toResult(place, { ok: false, detail, ...given({ hint }) })
  }
}

/** Every finding of a problem says how to fix it. */
const UNKNOWN_FIX = 'fix what the message names, and run akashi doctor again'

function toResult(
  { area, name, points }: Omit<Placed, 'check'> & { readonly name: string },
  { ok, detail, hint }: Finding,
): DiagnosisCheck {
  const oneLine = redactText(detail).replaceAll(':\n', ': ').replaceAll('\n', '; ')
  const fix = hint ?? (ok ? undefined : UNKNOWN_FIX)
  return {
    name,
    area,
    ok,
    detail: oneLine,
    hint: fix === undefined ? null : redactText(fix),
    deduction: ok ? 0 : points,
  }
}
