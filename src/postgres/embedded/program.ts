import { spawn } from 'node:child_process'
import { AkashiError } from '../../foundation/index.ts'

/** Takes nothing from the caller's environment, so that no PG* or LD_* variable affects PostgreSQL. */
export const serverEnvironment = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin' } as const

/** Enough for every message of initdb. */
const MAX_OUTPUT_CHARS = 16_384

export interface ProgramOptions {
  readonly account: { readonly uid: number; readonly gid: number } | undefined
  readonly cwd: string
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs a program to its end. When cancelled, throws only after the program and its children have ended.
 * @throws cancelled; the system call's error when it cannot be started
 */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<{ readonly code: number | null; readonly output: string }> {
  throwIfCancelled(options.signal)
  return await new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      ...options.account,
      cwd: options.cwd,
      env: serverEnvironment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-MAX_OUTPUT_CHARS)
    }
    const abort = (): void => void child.kill('SIGTERM')
    options.signal?.addEventListener('abort', abort)
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.once('error', reject)
    // `close` comes when every process that holds the pipes, the program's children included, has ended.
    child.once('close', (code) => {
      options.signal?.removeEventListener('abort', abort)
      if (options.signal?.aborted === true) reject(cancelled())
      else resolve({ code, output })
    })
  })
}

export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelled()
}

export function cancelled(): AkashiError {
  return new AkashiError('cancelled', 'starting the embedded postgresql was cancelled')
}
