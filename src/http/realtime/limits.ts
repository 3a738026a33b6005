/** Bytes that wait for a client that reads slowly; past them it is sent away and resumes later. */
export const MAX_WAITING_BYTES = 1_048_576
/** A client that resumes or falls behind is sent more once it has read so far; milliseconds until it must have. */
export const RESUME_WAITING_BYTES = MAX_WAITING_BYTES / 2
export const RESUME_TIMEOUT_MS = 10_000
/** Between two pings, in milliseconds; a client that answered none in between is gone. */
export const HEARTBEAT_MS = 20_000
/** Changes of presence within this time, in milliseconds, are one: whoever came back was never away. */
export const PRESENCE_ROUND_MS = 1_000
/** How often, in milliseconds, it is asked whether the sessions behind the sockets still hold. */
export const REAUTHORISE_MS = 500
