import { createHmac } from 'node:crypto'
import { fieldSettings } from './fields.ts'
import type { ContextKey } from './key.ts'

/**
 * Seconds between signing and the latest moment at which a transaction may take the context up. It then keeps it,
 * however long it runs. The database accepts at most 60 (`akashi_auth.accept_context()`).
 */
export const CONTEXT_LIFETIME_S = 30

/** First of the signed fields: what is signed, and the version of its layout. */
const PURPOSE = 'akashi-context/1'

/** U+001F, which no field may hold, so that two different contexts never join to the same text. */
const FIELD_SEPARATOR = '\u001f'

/** Every setting of the context, in the order of the values that {@link signContext} returns. */
export const contextSettings: readonly string[] = [
  ...fieldSettings,
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
 * The value of each setting, empty where there is none: a connection of a pool must not keep any of the transaction
 * before. Without a key nothing is signed.
 *
 * @param fields as `actorFields` returns them
 */
export function signContext(
  fields: readonly string[],
  key: ContextKey | undefined,
  { time, audience }: ServerView,
): string[] {
  if (key === undefined) return [...fields, '', '', '']
  const claims = [...fields, String(Math.floor(time / 1000) + CONTEXT_LIFETIME_S), key.id]
  const signature = createHmac('sha256', key.secret)
    .update([PURPOSE, ...claims, audience].join(FIELD_SEPARATOR), 'utf8')
    .digest('hex')
  return [...claims, signature]
}
