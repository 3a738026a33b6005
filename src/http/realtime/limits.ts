/** Bytes of one frame from a client: a message of 4,000 characters with its mentions fits. */
export const MAX_FRAME_BYTES = 65_536
/** Bytes that wait for a client that reads slowly; past them it is sent away and resumes later. */
export const MAX_WAITING_BYTES = 1_048_576
/** A client that resumes or falls behind is sent more once it has read so far; milliseconds until it must have. */
export const RESUME_WAITING_BYTES = MAX_WAITING_BYTES / 2
export const RESUME_TIMEOUT_MS = 10_000
/** Frames a second that a client may go on sending, and how many at once. */
export const FRAMES_PER_SECOND = 20
export const FRAMES_AT_ONCE = 100
/** Rooms that one socket listens to. */
export const MAX_SUBSCRIPTIONS = 500
/** Between two pings, in milliseconds; a client that answered none in between is gone. */
export const HEARTBEAT_MS = 20_000
/** Changes of presence within this time, in milliseconds, are one: whoever came back was never away. */
export const PRESENCE_ROUND_MS = 1_000
/** How often, in milliseconds, it is asked whether the sessions behind the sockets still hold. */
export const REAUTHORISE_MS = 500

/** Close codes of the application's own range, RFC 6455 7.4.2. */
export const closeCodes = {
  sessionEnded: 4001,
  tooSlow: 4008,
  tooMany: 4029,
  badFrame: 4400,
} as const
