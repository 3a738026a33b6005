/** Codes of errors, the same over HTTP, on the socket and on the command line. A code keeps its meaning. */
const errorCodes = [
  'invalid_input',
  'invalid_config',
  'unauthenticated',
  'forbidden',
  'not_found',
  'already_exists',
  'conflict',
  'too_large',
  'rate_limited',
  'cancelled',
  'timeout',
  'unavailable',
  'unsupported',
  'integrity',
  'append_only',
  'internal',
] as const
export type ErrorCode = (typeof errorCodes)[number]

/** Codes that only HTTP has. */
const httpErrorCodes = ['method_not_allowed', 'unsupported_media_type'] as const

export const problemCodes = [...errorCodes, ...httpErrorCodes] as const
export type ProblemCode = (typeof problemCodes)[number]
