/** Runs the rules of detection over what is sealed, again and again. */
import { SEALED_CHANNEL } from '../audit/index.ts'
import { configuredRules, LiveDetector } from '../detection/index.ts'
import type { Log } from '../foundation/index.ts'
import type { Database } from '../postgres/index.ts'
import { type Loop, runLoop } from './loops.ts'

/** Milliseconds between two rounds: an event is sealed within a second, and evaluated within two more. */
const DETECTION_INTERVAL_MS = 2_000
/** The same while nothing is sealed, which wakes detection. */
const QUIET_INTERVAL_MS = 30_000
/** Milliseconds after which changed settings and rules count. */
const RELOAD_INTERVAL_MS = 60_000

/** One process at a time; another one continues where the last one ended. */
export function detectionLoop(parts: {
  readonly worker: Database
  readonly log: Log
  readonly signal: AbortSignal
}): Loop {
  const { worker, log, signal } = parts
  let detector: LiveDetector | undefined
  let meaning = ''
  let loadedAt = Number.NEGATIVE_INFINITY
  let leader: unknown
  return runLoop({
    name: 'detection',
    worker,
    intervalMs: QUIET_INTERVAL_MS,
    wakeOn: SEALED_CHANNEL,
    wakeAfterMs: DETECTION_INTERVAL_MS,
    signal,
    log,
    work: async (round) => {
      if (
        detector === undefined ||
        leader !== round.session ||
        performance.now() - loadedAt > RELOAD_INTERVAL_MS
      ) {
        const { rules, refused, calendar, responses } = await configuredRules(round.worker, round.actor)
        for (const { file, line, reason } of refused) log.warn({ file, line, reason }, 'a rule was refused')
        const found = JSON.stringify([
          rules.map(({ hash }) => hash),
          calendar,
          [...responses.actions],
          responses.act,
        ])
        if (detector === undefined || found !== meaning || leader !== round.session) {
          await detector?.flush(round.worker, round.actor)
          detector = new LiveDetector(rules, calendar, responses)
        }
        meaning = found
        leader = round.session
        loadedAt = performance.now()
      }
      await detector.round(round.worker, round.actor, round.signal)
    },
  })
}
