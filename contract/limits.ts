/** What clients must know of the server's limits. */

/** Bytes of a request body, uploads aside. */
export const MAX_BODY_BYTES = 1_048_576

/** Rows of a page of a list, unless the request says otherwise and at most. */
export const DEFAULT_PAGE_SIZE = 50
export const MAX_PAGE_SIZE = 200
/** Messages of a page of search results, likewise. */
export const DEFAULT_SEARCH_PAGE_SIZE = 20
export const MAX_SEARCH_PAGE_SIZE = 100
/** Runs of a background job that are listed at most. */
export const MAX_RUNS_LISTED = 50

/** Characters (code points) of a message, a room's name and its description. */
export const MAX_MESSAGE_CHARACTERS = 4_000
export const MAX_ROOM_NAME_CHARACTERS = 100
export const MAX_ROOM_DESCRIPTION_CHARACTERS = 2_000
/** Compliance tags of a room, and characters of one's name or text. */
export const MAX_COMPLIANCE_TAGS = 50
export const MAX_COMPLIANCE_TAG_CHARACTERS = 255
/** Characters of a message where only a preview of it is given. */
export const MESSAGE_PREVIEW_CHARACTERS = 200
/** Letters and digits that the reason for reading a room of others needs. */
export const MIN_REVIEW_REASON_LENGTH = 10
/** UTF-16 code units of a search for messages. */
export const MAX_SEARCH_LENGTH = 200
/** UTF-16 code units of one reaction; the longest emoji sequences have fewer. */
export const MAX_EMOJI_LENGTH = 32
/** Members of the largest room. */
/** People in a group conversation, the one who starts it included. */
export const MIN_GROUP_PEOPLE = 3
export const MAX_GROUP_PEOPLE = 8
export const MAX_ROOM_MEMBERS = 1_000
/** Rooms of one person that are listed, those with the newest messages first. */
export const MAX_ROOMS_LISTED = 500
/** Unread messages are counted up to here; a client shows 99+. */
export const MAX_UNREAD_COUNTED = 100
/** Events in one response to a request for what was missed. */
export const MAX_EVENTS = 500
/** Messages of a conversation that are read at once. */
export const MAX_THREAD_MESSAGES = 500
/** Bytes of the largest file. */
/** Bytes of a profile picture as it is uploaded. */
export const MAX_AVATAR_BYTES = 8_388_608
export const MAX_FILE_BYTES = 104_857_600

/** Bytes of one frame from a client: a message of 4,000 characters with its mentions fits. */
export const MAX_FRAME_BYTES = 65_536
/** Frames a second that a client may keep sending, and how many at once. */
export const FRAMES_PER_SECOND = 20
export const FRAMES_AT_ONCE = 100
/** Rooms that one socket listens to. */
export const MAX_SUBSCRIPTIONS = 500

/** Characters of a query's SQL. */
export const MAX_SQL_CHARACTERS = 100_000
/** Rows of a query's result, unless the request says otherwise and at most. */
export const DEFAULT_QUERY_ROWS = 10_000
export const MAX_QUERY_ROWS = 10_000_000
/** Seconds of a query over HTTP, likewise: others wait for the engine. */
export const DEFAULT_QUERY_SECONDS = 60
export const MAX_QUERY_SECONDS = 600

/** Characters of a rule of detection that is tried, and findings that a trial returns. */
export const MAX_RULE_CHARACTERS = 100_000
export const MAX_BACKTEST_FINDINGS = 1_000

/** Days for which an evidence link can be valid. */
export const MAX_EVIDENCE_LINK_DAYS = 30
/** Reports that one evidence link can show. */
export const MAX_EVIDENCE_LINK_REPORTS = 24
