import { CommanderError } from 'commander'
import { AkashiError, redactText } from '../foundation/index.ts'
import { toJson } from './invocation.ts'
import type { ExitStatus, World } from './world.ts'

const HINT_INTERNAL = 'run it again with --log-level debug for a stack trace'

/** Prints an error: two lines on standard error, and with --json also a document on standard output. */
export function report(
  error: AkashiError,
  world: World,
  flags: Readonly<Record<string, unknown>>,
): ExitStatus {
  const message = redactText(error.message)
  const hint = error.hint === undefined ? undefined : redactText(error.hint)
  world.stderr.write(`akashi: ${message}\n`)
  if (hint !== undefined) world.stderr.write(`hint: ${hint}\n`)
  if (['debug', 'trace'].includes(String(flags['logLevel'] ?? world.environment['AKASHI_LOG_LEVEL'])))
    world.stderr.write(`${redactText(stackOf(error))}\n`)
  if (flags['json'] === true)
    world.stdout.write(`${toJson({ error: { code: error.code, message, hint: hint ?? null } })}\n`)
  return error.exit
}

/** Converts anything that a command throws. */
export function toAkashiError(thrown: unknown, signal: AbortSignal): AkashiError {
  const aborted = thrown instanceof Error && thrown.name === 'AbortError'
  const cancelled = thrown instanceof AkashiError && thrown.code === 'cancelled'
  if (signal.aborted && (aborted || cancelled || thrown === signal.reason)) {
    return new AkashiError('cancelled', `cancelled by ${String(signal.reason)}`, { cause: thrown })
  }
  if (thrown instanceof AkashiError) return thrown
  if (thrown instanceof CommanderError) return wrongUse(thrown)
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new AkashiError('internal', message, { hint: HINT_INTERNAL, cause: thrown })
}

/** `error: unknown option '--jsn'\n(Did you mean --json?)` → message and hint. */
function wrongUse(error: CommanderError): AkashiError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n')
  const suggestion = /^\(Did you mean (.*)\?\)$/.exec(rest.join(' '))?.[1]
  const hint = suggestion === undefined ? 'see akashi --help' : `did you mean ${suggestion}?`
  return new AkashiError('invalid_input', first.replace(/\.$/, ''), { hint, cause: error })
}

/** The stack traces of an error and of its causes. */
function stackOf(error: Error): string {
  const own = error.stack ?? error.message
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own
}
