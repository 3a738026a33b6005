/** Milliseconds past its own limit after which a silent server counts as gone and its connection is cut. */
export const STATEMENT_GRACE_MS = 5_000

/** Milliseconds to wait for a connection, a free one of the pool or a new one. */
export const CONNECT_TIMEOUT_MS = 10_000

/** Milliseconds after which an unused pooled connection is closed. */
export const POOL_IDLE_MS = 30_000

/** Milliseconds a transaction may sit without a statement before the server ends it: it holds back vacuum and sealing. */
export const IDLE_IN_TRANSACTION_MS = 300_000

/** Milliseconds of silence after which TCP asks whether the other side still exists. */
export const KEEP_ALIVE_MS = 30_000

/** Milliseconds to wait until a cancel request was delivered. */
export const CANCEL_TIMEOUT_MS = 5_000

/** Milliseconds until a statement that still runs is cancelled once more. */
export const CANCEL_REPEAT_MS = 100

/** How often a transaction is run again after a serialization failure or a deadlock. */
export const TRANSACTION_RETRIES = 3

/** Milliseconds of the first pause before running a transaction again; doubles each time, with full jitter. */
export const RETRY_BACKOFF_MS = 10

/** Milliseconds that no pause before a retry exceeds. */
export const RETRY_BACKOFF_MAX_MS = 500

/** Rows of one batch of a streamed result. */
export const STREAM_BATCH_ROWS = 1_000
