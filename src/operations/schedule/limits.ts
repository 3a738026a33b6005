/** Jobs that one worker runs at the same time. */
export const CONCURRENT_JOBS = 4

/** Connections of the queue itself; it holds one for LISTEN. */
export const QUEUE_POOL_SIZE = CONCURRENT_JOBS + 1

/** Milliseconds after which the timetable is read again although nobody announced a change. */
export const RELOAD_MS = 30_000

/** Milliseconds that a run may be late before it is caught up on; until then the queue is just busy with it. */
export const CATCH_UP_AFTER_MS = 5_000

/** Milliseconds back to which a missed run is caught up on: more than a week, for weekly jobs. */
export const CATCH_UP_MS = 8 * 24 * 3_600_000

/** Milliseconds that running jobs get to finish once the worker is told to stop. */
export const FINISH_MS = 10_000

/** Milliseconds that they then get to obey their cancellation. */
export const CANCEL_MS = 5_000

/** Milliseconds before a worker starts again after its queue or its connection failed; doubles each time. */
export const RESTART_MS = 1_000

/** Milliseconds that no pause before a restart exceeds. */
export const RESTART_MAX_MS = 30_000

/** How often the end of a run is written before the worker gives up its identity, so that another closes the run. */
export const RECORD_ATTEMPTS = 5

/** Milliseconds between two of these attempts. */
export const RECORD_PAUSE_MS = 1_000

/** Characters of a failure's message that the history keeps. */
export const MESSAGE_LENGTH = 2_000

/** Runs that a page of the history has unless the caller says otherwise. */
export const HISTORY_LIMIT = 50
