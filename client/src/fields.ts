import { ContextError } from './error.ts'

/** Who acts and where the request comes from. All of it is signed, and kept in each row of the trail. */
export interface Actor {
  /** The user as your application names them: any text or integer, such as `42` or an e-mail address. */
  readonly userId?: string | number | bigint | undefined
  readonly sessionId?: string | undefined
  /** Who acts where no user does, as `kind:name`: `job:nightly-invoices`. */
  readonly subject?: string | undefined
  readonly tenantId?: string | undefined
  /** An IP address without a port. */
  readonly clientIp?: string | undefined
  readonly userAgent?: string | undefined
  readonly requestId?: string | undefined
  readonly traceId?: string | undefined
  readonly correlationId?: string | undefined
  /** Method and route, such as `POST /orders/:id`. */
  readonly apiEndpoint?: string | undefined
  readonly applicationVersion?: string | undefined
}

/**
 * A `name` says who acts and is refused when it does not fit, since a shortened name is another name. A `note`
 * describes the request, comes from outside, and is shortened and cleaned.
 */
interface Field {
  readonly name: keyof Actor
  readonly setting: string
  readonly kind: 'name' | 'note'
  /** UTF-16 units. */
  readonly maxLength: number
}

/** In the order in which they are signed; docs/request-context.md specifies it. */
const fields: readonly Field[] = [
  { name: 'userId', setting: 'app.current_user_id', kind: 'name', maxLength: 255 },
  { name: 'sessionId', setting: 'app.current_session_id', kind: 'name', maxLength: 255 },
  { name: 'subject', setting: 'app.subject', kind: 'name', maxLength: 255 },
  { name: 'clientIp', setting: 'app.client_ip', kind: 'note', maxLength: 64 },
  { name: 'userAgent', setting: 'app.user_agent', kind: 'note', maxLength: 512 },
  { name: 'requestId', setting: 'app.request_id', kind: 'note', maxLength: 128 },
  { name: 'traceId', setting: 'app.trace_id', kind: 'note', maxLength: 128 },
  { name: 'correlationId', setting: 'app.correlation_id', kind: 'note', maxLength: 128 },
  { name: 'apiEndpoint', setting: 'app.api_endpoint', kind: 'note', maxLength: 512 },
  { name: 'applicationVersion', setting: 'app.application_version', kind: 'note', maxLength: 128 },
  { name: 'tenantId', setting: 'app.tenant_id', kind: 'name', maxLength: 128 },
]

export const fieldSettings: readonly string[] = fields.map(({ setting }) => setting)

// biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters on purpose
const controlCharacters = /[\u0000-\u001f\u007f]/g

/**
 * The signed fields of an actor in their order, empty where there is none.
 *
 * @throws ContextError when a name does not fit
 */
export function actorFields(actor: Actor): string[] {
  return fields.map((field) => fit(field, actor[field.name]))
}

function fit({ name, kind, maxLength }: Field, given: unknown): string {
  const value = given === undefined || given === null ? '' : String(given)
  if (kind === 'note') {
    // Replaced, not removed, so that the trail shows that something was there.
    return value.slice(0, maxLength).toWellFormed().replace(controlCharacters, '\ufffd')
  }
  if (
    !['string', 'number', 'bigint', 'undefined'].includes(typeof (given ?? undefined)) ||
    value.length > maxLength ||
    value !== value.toWellFormed() ||
    value.search(controlCharacters) !== -1
  ) {
    throw new ContextError(
      `${name} of the actor is not valid`,
      `at most ${maxLength} characters, no control characters`,
    )
  }
  return value
}
