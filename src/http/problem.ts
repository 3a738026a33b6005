import type { ProblemCode, ProblemDetails } from '@akashi/contract'
import { AkashiError, type ErrorCode, errorCatalogue, given } from '../foundation/index.ts'
import { BODY_ENCODED } from './plugins/body-encoding.ts'

/** Errors that exist only over HTTP. */
export const httpErrors = {
  method_not_allowed: { status: 405, title: 'the resource does not support this method' },
  unsupported_media_type: { status: 415, title: 'the content type is not supported' },
} as const satisfies Record<Exclude<ProblemCode, ErrorCode>, { status: number; title: string }>

const catalogue = { ...errorCatalogue, ...httpErrors }

interface ProblemFacts {
  /** What happened; default the title. */
  readonly detail?: string
  readonly hint?: string | undefined
  /** Overrides the catalogue's status where HTTP has a more specific one. */
  readonly status?: number | undefined
  readonly extra?: Readonly<Record<string, unknown>>
}

export function problem(code: ProblemCode, instance: string, facts: ProblemFacts = {}): ProblemDetails {
  const { status, title } = catalogue[code]
  return {
    ...facts.extra,
    type: `urn:akashi:error:${code}`,
    code,
    title,
    status: facts.status ?? status,
    detail: facts.detail ?? title,
    ...given({ hint: facts.hint }),
    instance,
  }
}

/** Errors of Fastify and its plugins, by code. */
const frameworkErrors: Readonly<Record<string, { code: ProblemCode; detail?: string; hint?: string }>> = {
  [BODY_ENCODED]: {
    code: 'unsupported_media_type',
    detail: 'an encoded request body is not accepted',
    hint: 'send it uncompressed, without content-encoding',
  },
  FST_ERR_CTP_BODY_TOO_LARGE: { code: 'too_large', detail: 'the request body is too large' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { code: 'unsupported_media_type' },
  FST_ERR_CTP_INVALID_JSON_BODY: { code: 'invalid_input', detail: 'the request body is not valid JSON' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { code: 'invalid_input', detail: 'the request body is empty' },
  FST_ERR_BAD_URL: { code: 'invalid_input', detail: 'the path is not encoded correctly' },
  FST_ERR_HANDLER_TIMEOUT: { code: 'timeout', detail: 'the request took too long' },
}

const byStatus: Readonly<Record<number, ProblemCode>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  413: 'too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
}

/** The problem details of an error; those of an unexpected error do not include its message. */
export function problemOf(error: unknown, instance: string): ProblemDetails {
  if (error instanceof AkashiError && error.code !== 'internal') {
    const { errors, reason } = error.detail
    return problem(error.code, instance, {
      detail: error.message,
      hint: error.hint,
      extra: { ...given({ errors, reason }) },
    })
  }
  const known = frameworkErrors[stringField(error, 'code')]
  if (known !== undefined) {
    return problem(known.code, instance, known)
  }
  const status = numberField(error, 'statusCode')
  if (status >= 400 && status < 500) {
    return problem(byStatus[status] ?? 'invalid_input', instance, { status })
  }
  return problem('internal', instance, {
    detail: 'the server failed to handle the request',
    hint: 'see the server log for this request id',
  })
}

function stringField(value: unknown, key: string): string {
  const field = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
  return typeof field === 'string' ? field : ''
}

function numberField(value: unknown, key: string): number {
  const field = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
  return typeof field === 'number' ? field : 0
}
