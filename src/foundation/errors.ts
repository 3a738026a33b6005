/**
 * Every error that Akashi raises deliberately is an {@link AkashiError} with a code of the catalogue
 * below. A message says what happened in lowercase without a full stop; the hint says how to fix it.
 */

import type { ErrorCode } from '@akashi/contract'

export type { ErrorCode }

/** HTTP status and exit status of an error code. */
interface ErrorClass {
  /** HTTP status that carries this error (RFC 9457 problem details). */
  readonly status: number
  /** Exit status of `bin/akashi`: 1 problem found, 2 wrong usage or bad input, 3 dependency not reachable. */
  readonly exit: 1 | 2 | 3
  /** One line, the same for every occurrence: the `title` of the problem details. */
  readonly title: string
}

export const errorCatalogue = {
  invalid_input: { status: 400, exit: 2, title: 'the input is not valid' },
  invalid_config: { status: 500, exit: 2, title: 'the configuration is not valid' },
  unauthenticated: { status: 401, exit: 2, title: 'no valid credentials were given' },
  forbidden: { status: 403, exit: 2, title: 'the caller may not do this' },
  not_found: { status: 404, exit: 2, title: 'not found' },
  already_exists: { status: 409, exit: 2, title: 'already exists' },
  conflict: { status: 409, exit: 2, title: 'the state does not allow this' },
  too_large: { status: 413, exit: 2, title: 'the input is too large' },
  rate_limited: { status: 429, exit: 3, title: 'too many requests' },
  cancelled: { status: 499, exit: 1, title: 'the caller cancelled the request' },
  timeout: { status: 504, exit: 3, title: 'timed out' },
  unavailable: { status: 503, exit: 3, title: 'a dependency cannot be reached' },
  unsupported: { status: 422, exit: 2, title: 'not supported by this server' },
  integrity: { status: 500, exit: 1, title: 'stored data failed verification' },
  append_only: { status: 409, exit: 2, title: 'the record is append-only' },
  internal: { status: 500, exit: 1, title: 'internal error' },
} as const satisfies Record<ErrorCode, ErrorClass>

export interface ErrorOptions {
  /** One line that says how to fix it, shown after `hint:`. */
  readonly hint?: string
  /** Machine-readable facts (field names, limits, SQLSTATE); never a secret. */
  readonly detail?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

export class AkashiError extends Error {
  override readonly name = 'AkashiError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly detail: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.detail = options.detail ?? {}
  }

  get status(): number {
    return errorCatalogue[this.code].status
  }

  get exit(): 1 | 2 | 3 {
    return errorCatalogue[this.code].exit
  }
}
