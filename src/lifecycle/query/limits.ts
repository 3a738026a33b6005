/** Bytes of a result that is held in memory, as JSON. */
export const MAX_RESULT_BYTES = 64 * 1024 * 1024

/** Default timeout of a query in milliseconds. */
export const DEFAULT_TIMEOUT_MS = 60_000

/** Maximum timeout of a query in milliseconds. */
export const MAX_TIMEOUT_MS = 60 * 60 * 1000

/** Default memory limit of the engine, which cannot spill to disk. */
export const ENGINE_MEMORY = '1GB'

/** Maximum threads of the engine. */
export const ENGINE_THREADS = 4

/** JavaScript heap of the engine process in megabytes, for rows being sent. */
export const ENGINE_HEAP_MB = 512

/** Milliseconds that an idle engine is kept for the next query. */
export const ENGINE_IDLE_MS = 60_000

/** Milliseconds in which an engine must start. */
export const ENGINE_START_MS = 30_000

/** Milliseconds between two progress reports of a scan. */
export const PROGRESS_MS = 200

/** Rows that the engine sends at once. */
export const BATCH_ROWS = 2_048

/** Maximum bytes of the local cache of objects. */
export const CACHE_BYTES = 10 * 1024 * 1024 * 1024

/** Milliseconds after its last use in which a cached object is not removed, since another process may be reading it. */
export const CACHE_GRACE_MS = 60 * 60 * 1000

/** Concurrent downloads. */
export const FETCHES = 4

/** Maximum bytes of rows streamed from PostgreSQL for one query, as CSV. */
export const MAX_HOT_BYTES = 2 * 1024 * 1024 * 1024

/** Files of the cache whose last check is remembered. */
export const KEPT_STATES = 16_384

/** Manifests that are kept in memory. */
export const KEPT_MANIFESTS = 4_096

/** Concurrent queries of one server. */
export const MAX_AT_ONCE = 2
