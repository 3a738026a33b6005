/** The rows of a history: messages, with a line for each day and for the first unread message. */
import type { Message } from '@akashi/contract'
import type { Pending } from './outbox.ts'

export type Row =
  | { readonly kind: 'day'; readonly key: string; readonly time: string }
  | { readonly kind: 'unread'; readonly key: string }
  | { readonly kind: 'message'; readonly key: string; readonly message: Message; readonly continued: boolean }
  | { readonly kind: 'pending'; readonly key: string; readonly pending: Pending; readonly continued: boolean }

/** Messages of one author within so many milliseconds share one heading. */
const GROUP_MS = 5 * 60_000

export interface RowOptions {
  readonly me: string
  /** How far the room was read when it was opened; null for no line of unread messages. */
  readonly readTo: string | null
  /** The day of a time in the reader's time zone, such as 2026-11-21. */
  readonly dayOf: (time: string) => string
}

export function rowsOf(
  messages: readonly Message[],
  pending: readonly Pending[],
  { me, readTo, dayOf }: RowOptions,
): Row[] {
  const rows: Row[] = []
  let day = ''
  let before: { readonly author: string; readonly at: number } | null = null
  let lineDrawn = readTo === null
  const enterDay = (time: string) => {
    if (dayOf(time) === day) return
    day = dayOf(time)
    before = null
    rows.push({ kind: 'day', key: `day ${day}`, time })
  }
  const continues = (author: string, time: string, apart: boolean): boolean => {
    const at = Date.parse(time)
    const same: boolean = before?.author === author && at - before.at < GROUP_MS && !apart
    before = { author, at }
    return same
  }
  for (const message of messages) {
    enterDay(message.createdAt)
    const author = message.author?.id ?? ''
    if (!lineDrawn && author !== me && message.createdAt > (readTo ?? '')) {
      lineDrawn = true
      before = null
      rows.push({ kind: 'unread', key: 'unread' })
    }
    const continued = continues(author, message.createdAt, message.replyTo !== null)
    rows.push({ kind: 'message', key: keyOf(message, me), message, continued })
  }
  for (const one of pending) {
    enterDay(one.createdAt)
    const continued = continues(me, one.createdAt, one.replyTo !== null)
    rows.push({ kind: 'pending', key: one.clientId, pending: one, continued })
  }
  return rows
}

/**
 * The person's own message keeps the key it had while it was being sent, so that it is not rendered again.
 */
function keyOf(message: Message, me: string): string {
  return message.author?.id === me ? (message.clientId ?? message.id) : message.id
}
