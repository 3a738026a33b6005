import { createHmac } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'
import { Actor } from './actor.ts'

/** Key that signs the request context; the database holds the same key in `akashi_auth.context_keys`. */
export interface ContextKey {
  readonly id: string
  /** 32 bytes */
  readonly secret: Uint8Array
  /** The key that took its place, or the same; called when the database no longer accepts this one. */
  readonly renew?: () => Promise<ContextKey>
}

/**
 * Seconds between signing and the latest moment at which a transaction may take the context up. It then keeps it,
 * however long it runs. The database accepts at most 60 (`akashi_auth.accept_context()`).
 */
export const CONTEXT_LIFETIME_S = 30

/** First of the signed fields: what is signed, and the version of its layout. */
const PURPOSE = 'akashi-context/1'

/** U+001F, which no field may hold, so that two different contexts never join to the same text. */
const FIELD_SEPARATOR = '\u001f'

// biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters on purpose
const controlCharacters = /[\u0000-\u001f\u007f]/g

/**
 * What a field may contain. A `name` says who acts and is rejected when it does not fit, since a truncated
 * name is another name. A `note` describes the request, comes from outside, and is truncated and sanitized.
 */
type Rule =
  | { readonly kind: 'name'; readonly maxLength: number }
  | { readonly kind: 'note'; readonly maxLength: number }

interface Field {
  readonly name: string
  readonly setting: string
  readonly of: (actor: Actor) => string | undefined
  readonly rule: Rule
}

const name = (maxLength: number): Rule => ({ kind: 'name', maxLength })
const note = (maxLength: number): Rule => ({ kind: 'note', maxLength })

/** In the order in which they are signed: the contract with `akashi_auth.context_hmac()`. Lengths are UTF-16 units. */
const fields: readonly Field[] = [
  { name: 'userId', setting: 'app.current_user_id', of: ({ userId }) => userId, rule: name(255) },
  { name: 'sessionId', setting: 'app.current_session_id', of: ({ sessionId }) => sessionId, rule: name(255) },
  { name: 'subject', setting: 'app.subject', of: ({ subject }) => subject, rule: name(255) },
  { name: 'clientIp', setting: 'app.client_ip', of: ({ origin }) => origin.clientIp, rule: note(64) },
  { name: 'userAgent', setting: 'app.user_agent', of: ({ origin }) => origin.userAgent, rule: note(512) },
  { name: 'requestId', setting: 'app.request_id', of: ({ origin }) => origin.requestId, rule: note(128) },
  { name: 'traceId', setting: 'app.trace_id', of: ({ origin }) => origin.traceId, rule: note(128) },
  {
    name: 'correlationId',
    setting: 'app.correlation_id',
    of: ({ origin }) => origin.correlationId,
    rule: note(128),
  },
  {
    name: 'apiEndpoint',
    setting: 'app.api_endpoint',
    of: ({ origin }) => origin.apiEndpoint,
    rule: note(512),
  },
  {
    name: 'applicationVersion',
    setting: 'app.application_version',
    of: ({ origin }) => origin.applicationVersion,
    rule: note(128),
  },
  { name: 'tenantId', setting: 'app.tenant_id', of: ({ tenantId }) => tenantId, rule: name(128) },
]

/** Every setting of the context, in the order of the values that {@link contextValues} returns. */
export const contextSettings: readonly string[] = [
  ...fields.map((field) => field.setting),
  'app.context_expires',
  'app.context_key',
  'app.context_signature',
]

/** What a signature needs to know of the server. */
export interface ServerView {
  /** Milliseconds since 1970 on the database's clock. */
  readonly time: number
  /** `akashi_auth.context_audience()` of the connection. */
  readonly audience: string
}

/**
 * The value of each setting, empty where there is none: a connection of a pool must not keep any of the
 * transaction before.
 *
 * @throws AkashiError invalid_input when a field that says who acts does not fit, internal without an actor
 */
export function contextValues(
  actor: Actor,
  key: ContextKey | undefined,
  { time, audience }: ServerView,
): string[] {
  if (!Actor.isActor(actor)) {
    throw new AkashiError('internal', 'a transaction was begun without an actor', {
      hint: 'pass person(), service(), operator(), system() or anonymous()',
    })
  }
  const values = fields.map((field) => fit(field, field.of(actor) ?? ''))
  if (key === undefined) {
    return [...values, '', '', '']
  }
  const claims = [...values, String(Math.floor(time / 1000) + CONTEXT_LIFETIME_S), key.id]
  const signature = createHmac('sha256', key.secret)
    .update([PURPOSE, ...claims, audience].join(FIELD_SEPARATOR), 'utf8')
    .digest('hex')
  return [...claims, signature]
}

function fit({ name: field, rule }: Field, value: string): string {
  if (value === '') {
    return value
  }
  if (rule.kind === 'note') {
    // Replaced, not removed, so that the audit trail shows that something was there.
    return value.slice(0, rule.maxLength).toWellFormed().replace(controlCharacters, '\ufffd')
  }
  if (
    value.length > rule.maxLength ||
    value !== value.toWellFormed() ||
    value.search(controlCharacters) !== -1
  ) {
    throw new AkashiError('invalid_input', `${field} of the actor is not valid`, {
      hint: `at most ${rule.maxLength} characters, no control characters`,
    })
  }
  return value
}
