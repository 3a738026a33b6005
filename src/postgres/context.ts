import { createHmac } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'
import type { Actor } from './types.ts'

/** Key that signs the request context; the database holds the same key in `auth.context_keys`. */
export interface ContextKey {
  readonly id: string
  /** 32 bytes */
  readonly secret: Uint8Array
}

/**
 * Seconds between signing and the latest moment at which the signed transaction may begin. The database
 * compares with `now()`, the start of the transaction, so a transaction may run longer than this.
 */
export const CONTEXT_LIFETIME_S = 30

/** U+001F, which no field may hold, so that two different contexts never join to the same text. */
const FIELD_SEPARATOR = '\u001f'

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controlCharacters = /[\u0000-\u001f\u007f]/g

/**
 * What a field may hold. Fields that say who acts are refused when they do not fit, since a cut name is
 * another name; fields that describe the request come from outside and are cut and cleaned.
 */
type Rule =
  | { readonly kind: 'uuid' }
  | { readonly kind: 'name'; readonly maxLength: number }
  | { readonly kind: 'note'; readonly maxLength: number }

interface Field {
  readonly key: keyof Actor
  readonly setting: string
  readonly rule: Rule
}

/** In the order in which they are signed: the contract with `auth.context_verified()`. Lengths are UTF-16 units. */
const fields: readonly Field[] = [
  { key: 'userId', setting: 'app.current_user_id', rule: { kind: 'uuid' } },
  { key: 'sessionId', setting: 'app.current_session_id', rule: { kind: 'uuid' } },
  { key: 'subject', setting: 'app.subject', rule: { kind: 'name', maxLength: 255 } },
  { key: 'clientIp', setting: 'app.client_ip', rule: { kind: 'note', maxLength: 64 } },
  { key: 'userAgent', setting: 'app.user_agent', rule: { kind: 'note', maxLength: 512 } },
  { key: 'requestId', setting: 'app.request_id', rule: { kind: 'note', maxLength: 128 } },
  { key: 'traceId', setting: 'app.trace_id', rule: { kind: 'note', maxLength: 128 } },
  { key: 'correlationId', setting: 'app.correlation_id', rule: { kind: 'note', maxLength: 128 } },
  { key: 'apiEndpoint', setting: 'app.api_endpoint', rule: { kind: 'note', maxLength: 512 } },
  { key: 'applicationVersion', setting: 'app.application_version', rule: { kind: 'note', maxLength: 128 } },
  { key: 'tenantId', setting: 'app.tenant_id', rule: { kind: 'name', maxLength: 128 } },
]

/** Every setting of the context, in the order of the values that {@link contextValues} answers. */
export const contextSettings: readonly string[] = [
  ...fields.map((field) => field.setting),
  'app.context_expires',
  'app.context_key',
  'app.context_signature',
]

/**
 * The value of each setting, empty where there is none: a connection of a pool must not keep any of the
 * transaction before. `serverTime` is the database's clock in milliseconds since 1970.
 *
 * @throws AkashiError invalid_input when a field that says who acts does not fit
 */
export function contextValues(actor: Actor, key: ContextKey | undefined, serverTime: number): string[] {
  const values = fields.map((field) => fit(field, actor[field.key] ?? ''))
  if (key === undefined) {
    return [...values, '', '', '']
  }
  const signed = [...values, String(contextExpiry(serverTime)), key.id]
  const signature = createHmac('sha256', key.secret)
    .update(signed.join(FIELD_SEPARATOR), 'utf8')
    .digest('hex')
  return [...signed, signature]
}

/** Epoch second until which a context signed at `serverTime` may begin a transaction. */
export function contextExpiry(serverTime: number): number {
  return Math.floor(serverTime / 1000) + CONTEXT_LIFETIME_S
}

function fit({ key, rule }: Field, value: string): string {
  if (value === '') {
    return value
  }
  if (rule.kind === 'note') {
    // Replaced, not removed: the trail shows that something was there.
    return value.slice(0, rule.maxLength).toWellFormed().replace(controlCharacters, '\ufffd')
  }
  if (rule.kind === 'uuid') {
    if (!uuidPattern.test(value)) {
      throw new AkashiError('invalid_input', `${key} of the actor is not a uuid`)
    }
    return value.toLowerCase()
  }
  if (
    value.length > rule.maxLength ||
    value !== value.toWellFormed() ||
    value.search(controlCharacters) !== -1
  ) {
    throw new AkashiError('invalid_input', `${key} of the actor is not valid`, {
      hint: `at most ${rule.maxLength} characters, no control characters`,
    })
  }
  return value
}
