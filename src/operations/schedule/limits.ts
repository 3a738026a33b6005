/** Jobs that one worker runs at the same time. */
export const CONCURRENT_JOBS = 4

/** Connections of the queue itself; it holds one for LISTEN. */
export const QUEUE_POOL_SIZE = CONCURRENT_JOBS + 1

/** Milliseconds after which the schedule is read again even without a notification. */
export const RELOAD_MS = 30_000

/** Milliseconds for which notifications are gathered before the schedule is read again. */
export const GATHER_MS = 250

/** Milliseconds between two looks for jobs of the queue whose notification was lost, by each of its workers. */
export const QUEUE_POLL_MS = 60_000

/** Milliseconds that a run may be late before it counts as missed; until then the queue may still start it. */
export const CATCH_UP_AFTER_MS = 5_000

/** Milliseconds for which a missed run is caught up on: more than half a year, for the rarest jobs. */
export const CATCH_UP_MS = 200 * 24 * 3_600_000

/** Milliseconds that running jobs have to finish after the worker is stopped. */
export const FINISH_MS = 10_000

/** Milliseconds that they then have to react to their cancellation. */
export const CANCEL_MS = 5_000

/** Milliseconds before a worker restarts after its queue or its connection failed; doubles each time. */
export const RESTART_MS = 1_000

/** Longest pause before a restart, in milliseconds. */
export const RESTART_MAX_MS = 30_000

/** Attempts to record the end of a run, before the worker fails and another one closes the run. */
export const RECORD_ATTEMPTS = 5

/** Milliseconds between two of these attempts. */
export const RECORD_PAUSE_MS = 1_000

/** Characters of a failure message kept in the history. */
export const MESSAGE_LENGTH = 2_000

/** Default number of runs in a page of the history. */
export const HISTORY_LIMIT = 50
