/** Names of HTTP and the socket that both sides use. */

/** Media type of problem details (RFC 9457). */
export const PROBLEM_TYPE = 'application/problem+json'

/** Sent with every change that a session's cookie authenticates: other sites cannot. Its value means nothing. */
export const OWN_PAGE_HEADER = 'x-akashi-request'

export const SOCKET_PATH = '/v1/chat/socket'

/** Close codes of the chat's socket, in the application's own range (RFC 6455 7.4.2). */
export const closeCodes = {
  sessionEnded: 4001,
  tooSlow: 4008,
  tooMany: 4029,
} as const
