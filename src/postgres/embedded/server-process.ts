import { type ChildProcess, spawn } from 'node:child_process'
import { type FSWatcher, watch } from 'node:fs'
import { AkashiError } from '../../foundation/index.ts'
import type { Home } from './home-paths.ts'
import { readPidFile } from './postmaster.ts'
import { cancelled, serverEnvironment, throwIfCancelled } from './program.ts'
import { FAST_STOP_MS, IMMEDIATE_STOP_MS } from './recover.ts'
import { logNames, readNewLogs } from './server-log.ts'
import type { ServerExit } from './types.ts'

export interface ServerProcess {
  readonly pid: number
  readonly exited: Promise<ServerExit>
  kill(signal: NodeJS.Signals): void
  /** Keeps it running when this process ends. */
  detach(): void
}

/** Long enough to recover many gigabytes of WAL after a crash. */
const START_TIMEOUT_MS = 600_000
/** For file systems without change events. */
const READY_RECHECK_MS = 100
const SAID_CHARS = 8_192

/**
 * Starts the server program and waits until it accepts connections.
 * @throws unavailable with the server's error message (detail.portTaken: another program uses its port);
 * cancelled; timeout. The process has ended by then.
 */
export async function launch(
  home: Home,
  program: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
  timeoutMs = START_TIMEOUT_MS,
): Promise<ServerProcess> {
  throwIfCancelled(signal)
  const oldLogs = await logNames(home.logDir)
  // In its own session: Ctrl-C in the terminal reaches only Akashi, which then shuts the server down.
  const child = spawn(program, args, {
    ...home.account,
    cwd: home.clusterDir,
    env: serverEnvironment,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  // What the server prints before its log collector takes over.
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-SAID_CHARS)
  })
  const endWithUs = (): void => void child.kill('SIGINT')
  process.once('exit', endWithUs)
  const exited = new Promise<ServerExit>((resolve) => {
    child.once('exit', (code, name) => resolve({ code, signal: name }))
    child.once('error', (error) => {
      said += `FATAL: ${error.message}`
      resolve({ code: null, signal: null })
    })
  }).finally(() => process.off('exit', endWithUs))
  const server = {
    pid: child.pid ?? 0,
    exited,
    kill: (name: NodeJS.Signals) => void child.kill(name),
    detach: () => {
      process.off('exit', endWithUs)
      child.unref()
      child.stderr.destroy()
    },
  }
  const outcome = await untilReady(child, home.clusterDir, exited, signal, timeoutMs)
  if (outcome === 'ready') return server
  if (outcome === 'exited')
    throw startFailure(home, said + (await readNewLogs(home.logDir, oldLogs, SAID_CHARS)))
  await shutDown(server)
  if (outcome === 'cancelled') throw cancelled()
  throw new AkashiError('timeout', `the embedded postgresql was not ready after ${timeoutMs / 1000} s`, {
    hint: `see the log in ${home.logDir}`,
  })
}

type Outcome = 'ready' | 'exited' | 'cancelled' | 'timeout'

/** Waits until the last line of postmaster.pid is `ready`; a watch on its folder sees that within a millisecond. */
async function untilReady(
  child: ChildProcess,
  clusterDir: string,
  exited: Promise<ServerExit>,
  signal: AbortSignal | undefined,
  timeoutMs: number,
): Promise<Outcome> {
  return await new Promise<Outcome>((resolve) => {
    const settle = (outcome: Outcome): void => {
      watcher?.close()
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
    const watcher = watchFolder(clusterDir, check)
    const recheck = setInterval(check, READY_RECHECK_MS)
    const deadline = setTimeout(() => settle('timeout'), timeoutMs)
    void exited.then(() => settle('exited'))
    signal?.addEventListener('abort', abort)
    if (signal?.aborted === true) abort()
    check()
  })
}

/** undefined when the system has no watches left; the periodic check is enough then. */
function watchFolder(folder: string, changed: () => void): FSWatcher | undefined {
  try {
    return watch(folder, changed).on('error', () => undefined)
  } catch {
    return undefined
  }
}

function startFailure(home: Home, said: string): AkashiError {
  const fatal = said.split('\n').findLast((line) => /(FATAL|PANIC): /.test(line))
  return new AkashiError('unavailable', 'the embedded postgresql did not start', {
    hint:
      fatal === undefined
        ? `see the log in ${home.logDir}`
        : fatal.replace(/^.*?(FATAL|PANIC): +/, 'it said: '),
    detail: { logDir: home.logDir, portTaken: said.includes('Address already in use') },
  })
}

/** Fast shutdown, then immediate, then kill, with a bounded wait after each. */
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
