import { type ChildProcess, spawn } from 'node:child_process'
import { watch } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError } from '../../foundation/index.ts'
import { serverEnvironment } from './account.ts'
import type { Home } from './home.ts'
import { readPidFile } from './postmaster.ts'
import type { ServerExit } from './types.ts'

export interface ServerProcess {
  readonly pid: number
  readonly exited: Promise<ServerExit>
  kill(signal: NodeJS.Signals): void
}

/** Long enough for the recovery of many gigabytes of WAL after a crash; a hang still ends. */
const START_TIMEOUT_MS = 600_000
/** For file systems that send no change events. */
const READY_RECHECK_MS = 100

export async function launch(
  home: Home,
  program: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ServerProcess> {
  // A session of its own: Ctrl-C in the terminal reaches Akashi, which then stops the server in order.
  const child = spawn(program, args, {
    ...home.account,
    cwd: home.clusterDir,
    env: serverEnvironment,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  const stderr = tail(child)
  const exited = new Promise<ServerExit>((resolve) => {
    child.once('exit', (code, name) => resolve({ code, signal: name }))
    child.once('error', () => resolve({ code: null, signal: null }))
  })
  const started = new Date()
  const outcome = await untilReady(child, home.clusterDir, exited, signal)
  if (outcome === 'ready' && child.pid !== undefined) {
    return { pid: child.pid, exited, kill: (name) => void child.kill(name) }
  }
  child.kill('SIGQUIT')
  await exited
  if (outcome === 'cancelled') throw new AkashiError('cancelled', 'starting the embedded postgresql was cancelled')
  if (outcome === 'timeout') {
    throw new AkashiError('timeout', `the embedded postgresql was not ready after ${START_TIMEOUT_MS / 1000} s`, {
      hint: `see the log in ${home.logDir}`,
    })
  }
  throw await startFailure(home, `${stderr()}\n${await newestLog(home.logDir, started)}`)
}

type Outcome = 'ready' | 'exited' | 'cancelled' | 'timeout'

async function untilReady(
  child: ChildProcess,
  clusterDir: string,
  exited: Promise<ServerExit>,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  return await new Promise<Outcome>((resolve) => {
    const settle = (outcome: Outcome): void => {
      watcher.close()
      clearInterval(recheck)
      clearTimeout(deadline)
      signal?.removeEventListener('abort', abort)
      resolve(outcome)
    }
    const check = (): void => {
      void readPidFile(clusterDir).then(
        (file) => file?.pid === child.pid && file?.status === 'ready' && settle('ready'),
        () => undefined,
      )
    }
    const abort = (): void => settle('cancelled')
    const watcher = watch(clusterDir, check)
    const recheck = setInterval(check, READY_RECHECK_MS)
    const deadline = setTimeout(() => settle('timeout'), START_TIMEOUT_MS)
    void exited.then(() => settle('exited'))
    signal?.addEventListener('abort', abort)
    if (signal?.aborted === true) abort()
    check()
  })
}

const STDERR_CHARS = 8_192

/** What the server says before its log collector takes over. */
function tail(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-STDERR_CHARS)
  })
  return () => text
}

async function newestLog(logDir: string, since: Date): Promise<string> {
  const names = (await readdir(logDir).catch(() => [])).filter((name) => name.endsWith('.log')).sort()
  const newest = names.at(-1)
  if (newest === undefined) return ''
  void since
  return (await readFile(join(logDir, newest), 'utf8').catch(() => '')).slice(-STDERR_CHARS)
}

async function startFailure(home: Home, said: string): Promise<AkashiError> {
  const fatal = said.split('\n').findLast((line) => /(FATAL|PANIC): /.test(line))
  return new AkashiError('unavailable', 'the embedded postgresql did not start', {
    hint: fatal === undefined ? `see the log in ${home.logDir}` : fatal.replace(/^.*?(FATAL|PANIC): +/, 'it said: '),
    detail: { logDir: home.logDir, portTaken: /could not (bind|create any TCP)/.test(said) },
  })
}

const FAST_STOP_MS = 30_000
const IMMEDIATE_STOP_MS = 10_000

/** SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one (recovery at the next start). */
export async function shutDown(server: ServerProcess): Promise<void> {
  const steps = [
    ['SIGINT', FAST_STOP_MS],
    ['SIGQUIT', IMMEDIATE_STOP_MS],
  ] as const
  for (const [signal, wait] of steps) {
    server.kill(signal)
    if (await endsWithin(server.exited, wait)) return
  }
  server.kill('SIGKILL')
  await server.exited
}

async function endsWithin(exited: Promise<ServerExit>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([exited.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
