/** A secret that a program prints: of a password manager, a cloud's secret store, a token helper. */
import { execFile } from 'node:child_process'
import { z } from 'zod'
import { errno } from '../files.ts'

/** Milliseconds within which the program must have ended. */
const TIMEOUT_MS = 10_000
/** Bytes that it may print. */
const MAX_BYTES = 65_536

const argumentsSchema = z.array(z.string()).min(1)

export type Printed = string | { readonly mistake: string }

/**
 * Runs the program without a shell and returns what it prints, without one line end. What it prints and what it reports
 * on standard error appear in no message: either may be the secret.
 *
 * @param command words separated by spaces, or a JSON array of the program and its arguments
 */
export async function printedBy(
  command: string,
  environment: Readonly<Record<string, string | undefined>>,
  directory: string,
  timeoutMs = TIMEOUT_MS,
): Promise<Printed> {
  const words = wordsOf(command)
  if (words === undefined) return { mistake: 'is neither words nor a JSON array of texts' }
  const [program = '', ...rest] = words
  return await new Promise((resolve) => {
    const options = {
      cwd: directory,
      env: environment,
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: MAX_BYTES,
      windowsHide: true,
    } as const
    const child = execFile(program, rest, options, (error, stdout) => {
      if (error !== null) return resolve({ mistake: failure(program, error, timeoutMs) })
      const text = stdout.replace(/\r?\n$/, '')
      resolve(text === '' ? { mistake: `${program} printed nothing` } : text)
    })
    // It must not wait for input that nobody gives; one that is gone has no input to end.
    child.stdin?.on('error', () => undefined).end()
  })
}

function wordsOf(command: string): readonly string[] | undefined {
  if (!command.trimStart().startsWith('[')) return command.trim().split(/\s+/)
  try {
    return argumentsSchema.parse(JSON.parse(command))
  } catch {
    return undefined
  }
}

function failure(
  program: string,
  error: Error & { readonly killed?: boolean; readonly code?: unknown },
  timeoutMs: number,
): string {
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') {
    return `${program} printed more than ${MAX_BYTES} bytes`
  }
  if (error.killed === true) return `${program} took longer than ${timeoutMs / 1_000} s`
  if (typeof error.code === 'number') {
    return `${program} ended with status ${error.code}; run it by hand to see why`
  }
  return errno(error) === 'ENOENT'
    ? `there is no program ${program}`
    : `${program} could not be run (${errno(error) ?? 'unknown'})`
}
