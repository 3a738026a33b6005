import { setTimeout as sleep } from 'node:timers/promises'
import { aborted, type Log } from '../foundation/index.ts'
import { type Actor, type Database, type DirectSession, system } from '../postgres/index.ts'
import { tryToLead } from './leader-locks.ts'

/**
 * Milliseconds between two attempts to become the leader. Polled, since a statement that waits for a lock
 * holds back the xmin horizon, and with it the sealer.
 */
const TAKEOVER_POLL_MS = 2_000

/**
 * Milliseconds between two checks of the leader's connection. The server ends one that it closes; what is left is a network
 * that lost it, of which the server learns no sooner.
 */
const HEARTBEAT_MS = 60_000

/** Shortest and longest pause after failures, in milliseconds; of a loop with a shorter interval, that is the shortest. */
const BACKOFF_MS = 2_000
const BACKOFF_MAX_MS = 30_000

/** Milliseconds that a round has to end after the loop is stopped. */
const STOP_TIMEOUT_MS = 10_000

export interface LoopContext {
  /** Of the role `worker`. */
  readonly worker: Database
  /** The loop, as the actor of its transactions. */
  readonly actor: Actor
  /** The connection that holds the leader's lock. */
  readonly session: DirectSession
  /** Aborted when the loop stops or the lock is lost. */
  readonly signal: AbortSignal
}

export interface LoopOptions {
  /** Name of the lock and of the actor; there is one leader among all processes of the database. */
  readonly name: string
  /** Of the role `worker`. */
  readonly worker: Database
  /** Milliseconds from the end of a round to the start of the next; a function is asked after each round. */
  readonly intervalMs: number | (() => number)
  /** A channel of the database: a notification there starts the next round at once, */
  readonly wakeOn?: string
  /** but no sooner than so many milliseconds after the last one began. */
  readonly wakeAfterMs?: number
  /** One round. */
  readonly work: (context: LoopContext) => Promise<unknown>
  readonly signal: AbortSignal
  readonly log: Log
}

export interface Loop {
  /** Resolves when the loop has stopped. Never rejects. */
  readonly done: Promise<void>
  /** Ends the loop within {@link STOP_TIMEOUT_MS}, even if the round ignores its signal. */
  stop(): Promise<void>
}

/**
 * Runs `work` repeatedly in one process at a time. The leader holds a session advisory lock; when it stops or
 * dies, another process takes over within seconds. A failed round is logged and retried with exponential backoff.
 *
 * A leader that loses its connection notices later than the server releases its lock. Two rounds may overlap in
 * that time, so a round must tolerate that, for example by locking what it changes.
 */
export function runLoop(options: LoopOptions): Loop {
  const stopping = new AbortController()
  const signal = AbortSignal.any([options.signal, stopping.signal])
  const ended = elect({ ...options, signal })
  const done = Promise.race([ended, stopTimeout(signal, ended, options)])
  return {
    done,
    stop: () => {
      stopping.abort()
      return done
    },
  }
}

async function stopTimeout(
  signal: AbortSignal,
  ended: Promise<void>,
  { log, name }: LoopOptions,
): Promise<void> {
  await aborted(signal)
  const timer = new AbortController()
  const late = await Promise.race([
    ended.then(() => false),
    sleep(STOP_TIMEOUT_MS, true, { signal: timer.signal }).catch(() => false),
  ])
  timer.abort()
  if (late) {
    log.error({ loop: name }, 'the loop did not stop in time')
  }
}

/** Waits to become the leader, leads, and starts over when the connection is lost. */
async function elect(options: LoopOptions): Promise<void> {
  const { name, worker, signal, log } = options
  let failures = 0
  while (!signal.aborted) {
    try {
      // Not cancelled by the signal: the lock must outlive the round that it protects.
      await worker.direct(async (session) => {
        if (await becomeLeader(session, options)) {
          failures = 0
          log.info({ loop: name }, 'became the leader of the loop')
          await lead(session, options)
        }
      })
    } catch (error) {
      if (!signal.aborted) {
        failures += 1
        log.warn({ loop: name, err: error }, 'the loop lost its connection')
      }
    }
    await pause(backoff(TAKEOVER_POLL_MS, failures), signal)
  }
}

async function becomeLeader(session: DirectSession, { name, signal, log }: LoopOptions): Promise<boolean> {
  let reported: string | undefined
  while (!signal.aborted) {
    const { leads, others } = await tryToLead(session, name)
    if (others !== undefined && others !== reported) {
      log.error({ loop: name, logins: others }, 'another login holds a leader lock')
    }
    reported = others
    if (leads) return true
    await pause(TAKEOVER_POLL_MS, signal)
  }
  return false
}

async function lead(session: DirectSession, options: LoopOptions): Promise<void> {
  const { name, worker, intervalMs, wakeOn, wakeAfterMs = 0, work, log } = options
  const signal = AbortSignal.any([options.signal, session.lost])
  const actor = system(name)
  let failures = 0
  let checked = Date.now()
  // Renewed before a round, so that what is announced during it starts another.
  let awake = new AbortController()
  if (wakeOn !== undefined) await session.listen(wakeOn, () => awake.abort())
  while (!signal.aborted) {
    awake = new AbortController()
    const startedAt = performance.now()
    try {
      await work({ worker, actor, session, signal })
      failures = 0
    } catch (error) {
      if (signal.aborted) {
        return
      }
      failures += 1
      log.error({ loop: name, err: error, failures }, 'a round of the loop failed')
    }
    const wakes = wakeOn !== undefined && failures === 0
    const interval = typeof intervalMs === 'number' ? intervalMs : intervalMs()
    await pause(backoff(interval, failures), wakes ? AbortSignal.any([signal, awake.signal]) : signal)
    if (awake.signal.aborted) await pause(startedAt + wakeAfterMs - performance.now(), signal)
    if (!signal.aborted && Date.now() - checked >= HEARTBEAT_MS) {
      await session.query('select 1')
      checked = Date.now()
    }
  }
}

function backoff(intervalMs: number, failures: number): number {
  return failures === 0
    ? intervalMs
    : Math.min(Math.min(intervalMs, BACKOFF_MS) * 2 ** failures, BACKOFF_MAX_MS)
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
