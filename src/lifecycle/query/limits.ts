/** Bytes of an answer that is held in memory, as JSON. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/** Milliseconds of a query, from the first byte that is fetched, unless the caller says otherwise. */
export const DEFAULT_TIMEOUT_MS = 60_000

/** Milliseconds of a query at most. */
export const MAX_TIMEOUT_MS = 60 * 60 * 1000

/** Memory of the engine: there is no disk that it could use instead. */
export const ENGINE_MEMORY = '1GB'

/** Threads of the engine at most. */
export const ENGINE_THREADS = 4

/** Megabytes of JavaScript in the engine's process: rows on their way out. */
export const ENGINE_HEAP_MB = 512

/** Milliseconds that an engine without work is kept for the next query. */
export const ENGINE_IDLE_MS = 60_000

/** Milliseconds in which an engine must say that it is there. */
export const ENGINE_START_MS = 30_000

/** Milliseconds between two reports of how far a scan is. */
export const PROGRESS_MS = 200

/** Rows that the engine sends at once. */
export const BATCH_ROWS = 2_048

/** Bytes of objects that are kept on this machine. */
export const CACHE_BYTES = 10 * 1024 * 1024 * 1024

/** Milliseconds after its last use before which an object is not removed: another process may read it. */
export const CACHE_GRACE_MS = 60 * 60 * 1000

/** Objects that are fetched at once. */
export const FETCHES = 4

/** Bytes of rows that are streamed from PostgreSQL for one query, as CSV. */
export const MAX_HOT_BYTES = 2 * 1024 * 1024 * 1024

/** Manifests that are kept in memory. */
export const KEPT_MANIFESTS = 4_096

/** Queries of one node that run at once. */
export const MAX_AT_ONCE = 2
