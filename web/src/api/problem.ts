import { type Mistake, type ProblemCode, type ProblemDetails, problemCodes } from '@akashi/contract'

interface ProblemFacts extends Partial<Pick<ProblemDetails, 'reason' | 'errors' | 'instance'>> {
  /** The code of the server; `network` when no response came. */
  readonly code: ProblemCode | 'network'
  readonly status: number
  readonly detail: string
  readonly retryAfterSeconds?: number
}

/** What the server said went wrong (RFC 9457), or that it could not be reached. */
export class Problem extends Error {
  readonly code: ProblemFacts['code']
  readonly status: number
  readonly reason: string | null
  readonly errors: readonly Mistake[]
  /** Id of the request, for whoever reads the server's log. */
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

/** It is not known whether the request arrived. */
export function unreachable(detail = 'the server cannot be reached', options?: ErrorOptions): Problem {
  return new Problem({ code: 'network', status: 0, detail }, options)
}

/** Nothing about the request is wrong: the same one may succeed later. */
export function mayPass(error: unknown): boolean {
  return !(error instanceof Problem) || error.status === 0 || error.status === 429 || error.status >= 500
}

export async function problemOf(response: Response): Promise<Problem> {
  const wait = Number.parseInt(response.headers.get('retry-after') ?? '', 10)
  const problem = problemIn(await response.json().catch(() => null), response)
  return new Problem({ ...problem, ...(Number.isNaN(wait) ? {} : { retryAfterSeconds: wait }) })
}

/** The problem that a response tells of; `internal` where its body is not the server's, but a proxy's. */
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
