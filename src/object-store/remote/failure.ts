import { AkashiError, errno } from '../../foundation/index.ts'
import type { Explanation, Remote } from './remote.ts'

/** Broken or refused connections, as a restarting server causes. */
const PASSING_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'UND_ERR_SOCKET',
])
const THROTTLED_STATUS: readonly number[] = [429, 503]
const FIRST_SERVER_ERROR = 500
const NOT_IMPLEMENTED = 501

/** Classifies a failure without an error code of the store by system code and HTTP status. */
export function explainByStatus(error: unknown, status: number | undefined, reason: string): Explanation {
  const code = systemCode(error)
  if (code === 'ENOTFOUND') return { failure: 'misconfigured', reason: code }
  if (code !== undefined && PASSING_CODES.has(code)) return { failure: 'passing', reason: code }
  if (status === undefined) return { failure: 'other', reason }
  if (THROTTLED_STATUS.includes(status)) return { failure: 'throttled', reason }
  if (status === 401 || status === 403) return { failure: 'forbidden', reason }
  if (status === 301 || status === 307) return { failure: 'misconfigured', reason }
  if (status === 404) return { failure: 'absent', reason }
  if (status === 408) return { failure: 'passing', reason }
  if (status === 412) return { failure: 'precondition', reason }
  if (status === 416) return { failure: 'range', reason }
  if (status >= FIRST_SERVER_ERROR && status !== NOT_IMPLEMENTED) return { failure: 'passing', reason }
  return { failure: 'other', reason }
}

/** The code of the failed system call, however deep the client wrapped it. */
export function systemCode(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const code = errno(at)
    if (code !== undefined && (PASSING_CODES.has(code) || code === 'ENOTFOUND')) return code
    if (at instanceof AggregateError && at.errors.length > 0) return systemCode(at.errors[0])
  }
  return undefined
}

/**
 * The error for the caller. The client's error is not attached as cause: it contains the request with its
 * signature or token.
 */
export function remoteError(remote: Remote, { failure, reason }: Explanation, key?: string): AkashiError {
  const detail = key === undefined ? { reason } : { reason, key }
  switch (failure) {
    case 'absent':
      return new AkashiError('not_found', 'no object with this key', { detail })
    case 'precondition':
    case 'contended':
      return new AkashiError('conflict', 'another writer changed the same object', {
        detail,
        hint: 'try again',
      })
    case 'frozen':
      return new AkashiError('unavailable', `the object ${key ?? ''} is in an archive tier`, {
        detail: { ...detail, frozen: true },
        hint: 'thaw it, which takes hours, then try again',
      })
    case 'range':
      return new AkashiError('invalid_input', 'the byte range is outside the object', { detail })
    case 'forbidden':
      return new AkashiError('forbidden', `the object store rejected the credentials (${reason})`, {
        detail,
        hint: 'check the credentials of this process and their permission to read, write, list and delete',
      })
    case 'misconfigured':
      return new AkashiError(
        'invalid_config',
        `the bucket or endpoint of the object store URL is wrong (${reason})`,
        {
          detail,
          hint: `check bucket, region and endpoint of ${remote.location}`,
        },
      )
    case 'throttled':
      return new AkashiError('rate_limited', `the object store limits the request rate (${reason})`, {
        detail,
        hint: 'try again later, or raise the limits of the store',
      })
    default:
      return new AkashiError('unavailable', `the object store failed (${reason})`, {
        detail,
        hint: `check that ${remote.location} can be reached`,
      })
  }
}

/** An error name of an SDK if it is safe to show; server text is never repeated. */
export function reasonOf(name: unknown, fallback: string): string {
  return typeof name === 'string' && /^[A-Za-z][A-Za-z0-9_.]{0,63}$/.test(name) ? name : fallback
}
