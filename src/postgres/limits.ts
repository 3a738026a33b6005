/** Milliseconds beyond the statement timeout after which an unresponsive server counts as gone and its connection is closed. */
export const STATEMENT_GRACE_MS = 5_000

/** Milliseconds to wait for a connection, pooled or new. */
export const CONNECT_TIMEOUT_MS = 10_000

/** Milliseconds after which an unused pooled connection is closed: longer than from one round of the jobs of every minute to the next. */
export const POOL_IDLE_MS = 90_000

/** Seconds after which a pooled connection is replaced, so that a server that took over, a new certificate and a new role are met. */
export const CONNECTION_LIFETIME_S = 300

/** Milliseconds that a transaction may be idle before the server ends it, since it holds back vacuum and sealing. */
export const IDLE_IN_TRANSACTION_MS = 300_000

/** Milliseconds of silence before TCP sends a keepalive probe. */
export const KEEP_ALIVE_MS = 30_000

/** Milliseconds to wait for the delivery of a cancel request. */
export const CANCEL_TIMEOUT_MS = 5_000

/** Milliseconds until the cancel request for a statement that still runs is repeated. */
export const CANCEL_REPEAT_MS = 100

/** How often a transaction is retried after a serialization failure or a deadlock. */
export const TRANSACTION_RETRIES = 3

/** Milliseconds of the first pause before a retry; doubles each time, with full jitter. */
export const RETRY_BACKOFF_MS = 10

/** Longest pause before a retry, in milliseconds. */
export const RETRY_BACKOFF_MAX_MS = 500

/** Rows of one batch of a streamed result. */
export const STREAM_BATCH_ROWS = 1_000
