/** A mistake in what was sent: where, as a JSON pointer, and which. */
export interface Mistake {
  readonly in: string
  readonly pointer: string
  readonly detail: string
  /** Of a new password: what is wrong with it. */
  readonly fault?: string
}

interface ProblemDetails {
  /** The code of the server's catalogue; `network` when no answer came. */
  readonly code: string
  readonly status: number
  readonly detail: string
  readonly reason?: string
  readonly errors?: readonly Mistake[]
  /** Id of the request, for whoever reads the server's log. */
  readonly instance?: string
  readonly retryAfterSeconds?: number
}

/** What the server said went wrong (RFC 9457), or that it could not be reached. */
export class Problem extends Error {
  readonly code: string
  readonly status: number
  readonly reason: string | null
  readonly errors: readonly Mistake[]
  readonly instance: string | null
  readonly retryAfterSeconds: number | null

  constructor(details: ProblemDetails, options?: ErrorOptions) {
    super(details.detail, options)
    this.name = 'Problem'
    this.code = details.code
    this.status = details.status
    this.reason = details.reason ?? null
    this.errors = details.errors ?? []
    this.instance = details.instance ?? null
    this.retryAfterSeconds = details.retryAfterSeconds ?? null
  }
}

const TYPE_PREFIX = 'urn:akashi:error:'

export async function problemOf(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => null)
  const said = isRecord(body) ? body : {}
  const type = text(said, 'type') ?? ''
  const reason = text(said, 'reason')
  const instance = text(said, 'instance')
  const wait = Number.parseInt(response.headers.get('retry-after') ?? '', 10)
  return new Problem({
    code: type.startsWith(TYPE_PREFIX) ? type.slice(TYPE_PREFIX.length) : 'internal',
    status: response.status,
    detail: text(said, 'detail') ?? response.statusText,
    ...(reason === undefined ? {} : { reason }),
    ...(instance === undefined ? {} : { instance }),
    ...(Number.isNaN(wait) ? {} : { retryAfterSeconds: wait }),
    errors: Array.isArray(said['errors']) ? said['errors'].filter(isMistake) : [],
  })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function text(record: Record<string, unknown>, key: string): string | undefined {
  const value = record[key]
  return typeof value === 'string' ? value : undefined
}

function isMistake(value: unknown): value is Mistake {
  return isRecord(value) && typeof value['pointer'] === 'string' && typeof value['detail'] === 'string'
}
