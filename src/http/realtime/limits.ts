/** Bytes buffered for a slow client; beyond them its connection is closed, and it resumes later. */
export const MAX_WAITING_BYTES = 1_048_576
/** Sockets of one person on a node: several windows on several devices. */
export const MAX_SOCKETS = 40
/** A client that resumes or falls behind gets more once its buffer is down to this many bytes. */
export const RESUME_WAITING_BYTES = MAX_WAITING_BYTES / 2
/** Milliseconds that it has for that. */
export const RESUME_TIMEOUT_MS = 10_000
/** Milliseconds between two pings; a client that has not responded to the previous one is disconnected. */
export const HEARTBEAT_MS = 20_000
/** Milliseconds within which changes of presence are combined, so that a brief reconnect is not announced. */
export const PRESENCE_ROUND_MS = 1_000
/** Milliseconds between two checks whether the sessions of the sockets are still valid. */
export const REAUTHORISE_MS = 500
