import { type Mistake, type ProblemCode, type ProblemDetails, problemCodes } from '@akashi/contract'

interface ProblemFacts extends Partial<Pick<ProblemDetails, 'reason' | 'errors' | 'instance'>> {
  /** The code of the server; `network` when no response came. */
  readonly code: ProblemCode | 'network'
  readonly status: number
  readonly detail: string
  readonly retryAfterSeconds?: number
}

/** The server's problem details (RFC 9457), or that it could not be reached. */
export class Problem extends Error {
  readonly code: ProblemFacts['code']
  readonly status: number
  readonly reason: string | null
  readonly errors: readonly Mistake[]
  /** Request id, to find it in the server's log. */
  readonly instance: string | null
  readonly retryAfterSeconds: number | null

  constructor(facts: ProblemFacts, options?: ErrorOptions) {
    super(facts.detail, options)
    this.name = 'Problem'
    this.code = facts.code
    this.status = facts.status
    this.reason = facts.reason ?? null
    this.errors = facts.errors ?? []
    this.instance = facts.instance ?? null
    this.retryAfterSeconds = facts.retryAfterSeconds ?? null
  }
}

/** It is unknown whether the request arrived. */
export function unreachable(detail = 'the server cannot be reached', options?: ErrorOptions): Problem {
  return new Problem({ code: 'network', status: 0, detail }, options)
}

/** Whether the same request may succeed later, since nothing about it is wrong. */
export function isTransient(error: unknown): boolean {
  return !(error instanceof Problem) || error.status === 0 || error.status === 429 || error.status >= 500
}

export async function problemOf(response: Response): Promise<Problem> {
  const retryAfter = Number.parseInt(response.headers.get('retry-after') ?? '', 10)
  const problem = problemIn(await response.json().catch(() => null), response)
  return new Problem({ ...problem, ...(Number.isNaN(retryAfter) ? {} : { retryAfterSeconds: retryAfter }) })
}

/** The problem in the body of a response; `internal` if the body is not the server's, but a proxy's. */
export function problemIn(
  body: unknown,
  { status, statusText }: { readonly status: number; readonly statusText: string },
): ProblemFacts {
  return isProblem(body) ? body : { code: 'internal', status, detail: statusText }
}

const known: ReadonlySet<unknown> = new Set(problemCodes)

function isProblem(body: unknown): body is ProblemDetails {
  return typeof body === 'object' && body !== null && 'code' in body && known.has(body.code)
}
