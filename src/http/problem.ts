import { z } from 'zod'
import { AkashiError, type ErrorCode, errorCatalogue } from '../foundation/index.ts'

export const PROBLEM_TYPE = 'application/problem+json'

/** RFC 9457 problem details; `hint` says how to mend it. */
export const problemSchema = z.looseObject({
  type: z.string().describe('urn:akashi:error:<code>'),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  hint: z.string().optional(),
  reason: z.string().optional().describe('for programs, where one code has several reasons'),
  instance: z.string().describe('the id of the request'),
})

export type Problem = z.infer<typeof problemSchema>

/** The response of a route that answers with a problem, for its schema. */
export const problemResponse = { content: { [PROBLEM_TYPE]: { schema: problemSchema } } }

interface ProblemFacts {
  readonly detail: string
  readonly hint?: string | undefined
  /** Where HTTP has a closer status than the catalogue. */
  readonly status?: number | undefined
  readonly extra?: Readonly<Record<string, unknown>>
}

export function problem(code: ErrorCode, instance: string, facts: ProblemFacts): Problem {
  const { status, title } = errorCatalogue[code]
  return {
    ...facts.extra,
    type: `urn:akashi:error:${code}`,
    title,
    status: facts.status ?? status,
    detail: facts.detail,
    ...(facts.hint === undefined ? {} : { hint: facts.hint }),
    instance,
  }
}

/** What Fastify and its plugins raise, by their code. */
const frameworkErrors: Readonly<Record<string, { code: ErrorCode; detail: string; status?: number }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { code: 'too_large', detail: 'the request body is too large' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'invalid_input',
    detail: 'the content type is not supported',
    status: 415,
  },
  FST_ERR_CTP_INVALID_JSON_BODY: { code: 'invalid_input', detail: 'the request body is not valid JSON' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { code: 'invalid_input', detail: 'the request body is empty' },
  FST_ERR_BAD_URL: { code: 'invalid_input', detail: 'the path is not validly encoded' },
  FST_ERR_HANDLER_TIMEOUT: { code: 'timeout', detail: 'the request took too long' },
}

const byStatus: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  413: 'too_large',
  429: 'rate_limited',
}

/** The problem that tells of `error`: in full when it was raised on purpose, else without its words. */
export function problemOf(error: unknown, instance: string): Problem {
  if (error instanceof AkashiError && error.code !== 'internal') {
    const { errors, reason } = error.detail
    return problem(error.code, instance, {
      detail: error.message,
      hint: error.hint,
      extra: { ...(errors === undefined ? {} : { errors }), ...(reason === undefined ? {} : { reason }) },
    })
  }
  const known = frameworkErrors[stringField(error, 'code')]
  if (known !== undefined) {
    return problem(known.code, instance, known)
  }
  const status = numberField(error, 'statusCode')
  if (status >= 400 && status < 500) {
    const code = byStatus[status] ?? 'invalid_input'
    return problem(code, instance, { detail: errorCatalogue[code].title, status })
  }
  return problem('internal', instance, {
    detail: 'the request could not be answered',
    hint: 'the log of the server says why, under the same request id',
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
