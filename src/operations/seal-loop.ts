/** Sealing, again and again: each log by itself, so that one that cannot be sealed keeps no other waiting. */
import { setTimeout as sleep } from 'node:timers/promises'
import { LogSealer, logs, lookForRowsSince } from '../audit/index.ts'
import { type Log, startSpan } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { Database } from '../postgres/index.ts'
import { type Loop, type LoopContext, runLoop } from './loops.ts'

/** Milliseconds between two rounds of the sealer: a committed row waits about as long, and never a second. */
export const SEAL_INTERVAL_MS = 250

/** Milliseconds between two looks while nothing is written: the first row afterwards waits for one of them. */
const QUIET_INTERVAL_MS = 800

/**
 * Milliseconds after which every log gets a round, even if polling found nothing: the server may have been
 * replaced.
 */
const FULL_ROUND_MS = 300_000

/** Milliseconds for which a log is left alone after it could not be sealed: doubled each time up to the second. */
const PAUSE_MS = 1_000
const PAUSE_MAX_MS = 30_000

interface Queue {
  readonly sealer: LogSealer
  failures: number
  /** By `performance.now()`. */
  notBefore: number
}

/** Seals what was committed, in one process at a time. */
export function sealLoop(options: {
  readonly worker: Database
  readonly keyring: Keyring
  readonly signal: AbortSignal
  readonly log: Log
}): Loop {
  const { worker, keyring, signal, log } = options
  const queues = logs.map(
    (each): Queue => ({ sealer: new LogSealer(keyring, each), failures: 0, notBefore: 0 }),
  )
  // Asked for again and again, because a notification in every audited transaction would make them wait for each other.
  let seen: string | null = null
  let fullRoundAt = 0
  return runLoop({
    name: 'seal',
    worker,
    intervalMs: SEAL_INTERVAL_MS,
    signal,
    log,
    work: async (context) => {
      if (performance.now() >= fullRoundAt) {
        fullRoundAt = performance.now() + FULL_ROUND_MS
        return await sealRound(context, queues, log)
      }
      const { snapshot, logs: waiting } = await lookForRowsSince(context.session, seen)
      const found = queues.filter(({ sealer }) => waiting.has(sealer.log.log))
      seen = found.length === 0 ? snapshot : null
      if (found.length > 0) return await sealRound(context, found, log, queues.length)
      await sleep(QUIET_INTERVAL_MS - SEAL_INTERVAL_MS, undefined, { signal: context.signal })
    },
  })
}

/**
 * A batch of each log in turn while there are any. Fails when no log could be sealed: then it is the database, and the
 * loop pauses.
 *
 * @param all how many logs there are
 */
async function sealRound(
  context: LoopContext,
  queues: readonly Queue[],
  log: Log,
  all = queues.length,
): Promise<void> {
  const errors: unknown[] = []
  const now = performance.now()
  const due = queues.filter(({ notBefore }) => notBefore <= now)
  let waiting = due
  while (waiting.length > 0) {
    const more: Queue[] = []
    for (const queue of waiting) {
      context.signal.throwIfAborted()
      try {
        const startedAt = Date.now()
        const batch = await queue.sealer.next(context.worker, context.actor, context.signal)
        queue.failures = 0
        if (batch.rows > 0) {
          const attributes = { 'akashi.log': queue.sealer.log.log, 'akashi.rows': batch.rows }
          startSpan('seal', { startedAt, attributes })?.end()
        }
        if (batch.more) more.push(queue)
      } catch (error) {
        context.signal.throwIfAborted()
        errors.push(error)
        queue.failures += 1
        queue.notBefore = performance.now() + Math.min(PAUSE_MS * 2 ** (queue.failures - 1), PAUSE_MAX_MS)
        log.error(
          { log: queue.sealer.log.log, err: error, failures: queue.failures },
          'a log could not be sealed',
        )
      }
    }
    waiting = more
  }
  if (errors.length > 0 && errors.length === due.length && due.length === all) throw errors[0]
}
