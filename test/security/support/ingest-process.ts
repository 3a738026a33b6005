/** `akashi ingest` as a process of its own, which can be killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  type Expectation,
  type LogGenerator,
  logGenerators,
  SSHD_LOG_TIMEZONE,
  SSHD_LOG_YEAR,
} from '../../../scripts/event-logs/index.ts'

const launcher = fileURLToPath(new URL('../../../bin/akashi', import.meta.url))
const WRITE_CHARACTERS = 1 << 20

export type Format = keyof typeof logGenerators

/** What `akashi ingest --json` prints. */
export interface Loaded {
  readonly read: number
  readonly accepted: number
  readonly rejected: readonly { readonly line: number; readonly reason: string }[]
  readonly rejectedTotal: number
  readonly stored: number
  readonly known: number
}

export interface Ended {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** Largest resident memory seen, in bytes. */
  readonly peakBytes: number
}

export interface Ingesting {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

export function formatOptions(format: Format): string[] {
  return format === 'sshd'
    ? ['--format', 'sshd', '--year', String(SSHD_LOG_YEAR), '--timezone', SSHD_LOG_TIMEZONE]
    : ['--format', format]
}

/** Begins `akashi ingest …` on the database of `url`; it reads what is written to `child.stdin`. */
export function ingest(
  url: string,
  args: readonly string[],
  peak?: (pid: number) => Promise<number>,
): Ingesting {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(launcher, ['ingest', ...args, '--json'], {
    env: { PATH, HOME, DATABASE_URL: url },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // A process that is killed, or that ends before it has read everything, closes its input.
  child.stdin.on('error', () => undefined)
  return { child, ended: follow(child, peak) }
}

async function follow(child: ChildProcess, peak?: (pid: number) => Promise<number>): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  let peakBytes = 0
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const sampling = setInterval(async () => {
    if (peak !== undefined && child.pid !== undefined) peakBytes = Math.max(peakBytes, await peak(child.pid))
  }, 100)
  const [status, signal] = await once(child, 'close')
  clearInterval(sampling)
  return {
    status: typeof status === 'number' ? status : null,
    signal: signal ?? null,
    stdout,
    stderr,
    peakBytes,
  }
}

/** Writes a generated log line by line; answers what a reader must find in it. */
export async function writeLog(
  path: string,
  format: Format,
  lines: number,
  seed: number,
): Promise<Expectation> {
  const generate: LogGenerator = logGenerators[format]
  const log = generate(lines, seed)
  const file = createWriteStream(path)
  let chunk = ''
  let next = log.next()
  for (; !next.done; next = log.next()) {
    chunk += `${next.value}\n`
    if (chunk.length < WRITE_CHARACTERS) continue
    if (!file.write(chunk)) await once(file, 'drain')
    chunk = ''
  }
  file.end(chunk)
  await once(file, 'close')
  return next.value
}
