/** Runs `bin/akashi` as a user does: as separate processes that do not inherit this environment. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { given } from '../src/foundation/index.ts'

const checkout = fileURLToPath(new URL('../bin/akashi', import.meta.url))

/** Milliseconds for one command, or for a server until it is ready. */
const VERB_TIMEOUT_MS = 120_000

export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** In addition to PATH and HOME, the only inherited variables. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The command to run in place of this checkout's, such as that of an installed package. */
  readonly launcher?: string
}

export interface Running {
  /** Empty for a worker, which does not serve HTTP. */
  readonly url: string
  readonly pid: number
  /** All output so far, of both streams. */
  output(): string
  /** Resolves to its exit status; null if a signal ended it. */
  readonly exited: Promise<number | null>
  /** Stops it as Ctrl-C or a service manager would, and waits for its exit. */
  stop(): Promise<number | null>
}

/** Runs one command to completion. */
export async function akashi(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = start(args, options)
  const timer = setTimeout(() => child.kill('SIGTERM'), VERB_TIMEOUT_MS)
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const status = await ended(child)
  clearTimeout(timer)
  return { status, stdout, stderr }
}

/** Starts `akashi up` on a data folder and a free port; resolves when it is ready. */
export function akashiUp(data: string, options: RunOptions = {}): Promise<Running> {
  return akashiServer(['up', '--data', data, '--port', '0'], options)
}

/** Starts a server command; resolves when it is ready. */
export async function akashiServer(args: readonly string[], options: RunOptions = {}): Promise<Running> {
  const child = start(args, options)
  let output = ''
  const exited = ended(child)
  const stop = () => {
    child.kill('SIGTERM')
    return exited
  }
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGTERM')
      reject(new Error(`akashi ${args[0]} is not ready after ${VERB_TIMEOUT_MS / 1000} s: ${output}`))
    }, VERB_TIMEOUT_MS)
    const take = (text: string) => {
      output += text
      const found = /^ready(?: (\S+))?$/m.exec(output)
      if (found === null) return
      clearTimeout(timer)
      resolve(found[1] ?? '')
    }
    child.stdout?.setEncoding('utf8').on('data', take)
    child.stderr?.setEncoding('utf8').on('data', take)
    exited.then((status) => {
      clearTimeout(timer)
      reject(new Error(`akashi ${args[0]} exited with status ${status}: ${output}`))
    }, reject)
  })
  return { url, pid: child.pid ?? 0, output: () => output, exited, stop }
}

function start(args: readonly string[], { env = {}, cwd, launcher = checkout }: RunOptions): ChildProcess {
  const { PATH = '', HOME = '' } = process.env
  return spawn(launcher, args, {
    env: { PATH, HOME, ...env },
    // Detached from the terminal's Ctrl-C: the caller stops it in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...given({ cwd }),
  })
}

async function ended(child: ChildProcess): Promise<number | null> {
  const [status] = await once(child, 'close')
  return typeof status === 'number' ? status : null
}
