import {
  type Classification,
  DEFAULT_PAGE_SIZE,
  type HistoryPage,
  MAX_THREAD_MESSAGES,
  type Message,
  type MessageChange,
  messageChange,
  type NewMessage,
  newMessage,
} from '@akashi/contract'
import { AkashiError } from '../foundation/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { messageJson, timeJson } from './json-sql.ts'

export interface HistoryQuery {
  /** Messages older than this message. */
  readonly before?: string
  /** Messages newer than this message. */
  readonly after?: string
  /** The message itself with equally many before and after it. */
  readonly around?: string
  readonly limit?: number
}

interface Page {
  readonly messages: Message[]
  readonly more: boolean
}

/**
 * One page of a room's history. Ordering by created_at is the room's order, and lets the planner read only the
 * newest partitions needed.
 */
export async function readHistory(
  database: Database,
  actor: Actor,
  roomId: string,
  query: HistoryQuery = {},
): Promise<HistoryPage> {
  const limit = query.limit ?? DEFAULT_PAGE_SIZE
  return await database.transaction(
    actor,
    async (session) => {
      const edge = query.before ?? query.after ?? query.around
      const page = async (comparison: '<' | '<=' | '>', size: number): Promise<Page> => {
        const older = comparison !== '>'
        const { rows } = await session.query<{ message: Message }>(
          `select ${messageJson('m')} as message from akashi_chat.messages m
           where m.room_id = $1 and m.created_at ${comparison} coalesce(akashi_chat.message_time($3), 'infinity')
           order by m.created_at ${older ? 'desc' : 'asc'} limit $2`,
          [roomId, size + 1, edge ?? null],
        )
        const messages = rows.slice(0, size).map(({ message }) => message)
        return { messages: older ? messages.reverse() : messages, more: rows.length > size }
      }
      if (query.around !== undefined) {
        const half = Math.ceil(limit / 2)
        const older = await page('<=', half)
        const newer = await page('>', half)
        return {
          messages: [...older.messages, ...newer.messages],
          hasOlder: older.more,
          hasNewer: newer.more,
        }
      }
      if (query.after !== undefined) {
        const newer = await page('>', limit)
        return { messages: newer.messages, hasOlder: true, hasNewer: newer.more }
      }
      const older = await page('<', limit)
      return { messages: older.messages, hasOlder: older.more, hasNewer: query.before !== undefined }
    },
    { readOnly: true },
  )
}

const byId = `select ${messageJson('m')} as message from akashi_chat.messages m where m.id = $1 and m.created_at = akashi_chat.message_time($1)`

/** @throws not_found also for a message that the caller may not see */
export async function readMessage(database: Database, actor: Actor, messageId: string): Promise<Message> {
  const { rows } = await database.transaction(
    actor,
    (session) => session.query<{ message: Message }>(byId, [messageId]),
    { readOnly: true },
  )
  return only(rows)
}

function only(rows: readonly { readonly message: Message }[]): Message {
  const [found] = rows
  if (found === undefined) {
    throw new AkashiError('not_found', 'message not found')
  }
  return found.message
}

/**
 * Idempotent by `clientId`: sent again, it returns the existing message.
 *
 * @param sealed in an encrypted room: the ciphertext, which is stored in place of the text
 */
export async function postMessage(
  database: Database,
  actor: Actor,
  roomId: string,
  message: NewMessage,
  sealed?: string,
): Promise<Message> {
  const { content, fileId, replyToId, mentions, clientId } = newMessage.parse(message)
  return await database.transaction(actor, async (session) => {
    const type =
      fileId === undefined
        ? `'text'`
        : `coalesce((select case when f.mime_type like 'image/%' then 'image' else 'file' end from akashi_chat.file_uploads f where f.id = $3), 'file')`
    const { rows } = await session.query<{ message: Message; whole: boolean }>(
      `select ${messageJson('m', { reply: replyToId !== undefined })} as message,
         m.file_upload_id is null and m.created_at >= date_trunc('milliseconds', now()) as whole
       from akashi_chat.post_message($1, $2, ${type}, $3, $4, $5, $6) m`,
      [roomId, sealed ?? content, fileId ?? null, replyToId ?? null, mentions, clientId ?? null],
    )
    const message = only(rows)
    // The file is attached after the statement's snapshot, and a message sent earlier may have changed: read it again.
    if (rows[0]?.whole === true) return message
    return only((await session.query<{ message: Message }>(byId, [message.id])).rows)
  })
}

/** @param sealed as in {@link postMessage} */
export async function editMessage(
  database: Database,
  actor: Actor,
  messageId: string,
  change: MessageChange,
  sealed?: string,
): Promise<Message> {
  const { content, mentions } = messageChange.parse(change)
  return await database.transaction(actor, async (session) => {
    await session.query('select akashi_chat.edit_message($1, $2, $3)', [
      messageId,
      sealed ?? content,
      mentions,
    ])
    return only((await session.query<{ message: Message }>(byId, [messageId])).rows)
  })
}

/** Runs a function on a message and returns the id of its room. */
async function changed(
  database: Database,
  actor: Actor,
  text: string,
  values: readonly [messageId: string, ...rest: string[]],
): Promise<string> {
  const { rows } = await database.transaction(actor, async (session) => {
    await session.query(text, values)
    return await session.query<{ roomId: string }>(
      'select room_id as "roomId" from akashi_chat.messages where id = $1 and created_at = akashi_chat.message_time($1)',
      [values[0]],
    )
  })
  return rows[0]?.roomId ?? ''
}

/** Deletes the content of a message; a placeholder stays. Returns the room's id. */
export function deleteMessage(database: Database, actor: Actor, messageId: string): Promise<string> {
  return changed(database, actor, 'select akashi_chat.delete_message($1)', [messageId])
}

/** Its author may raise the classification, an owner or admin of the room set any. */
export async function classifyMessage(
  database: Database,
  actor: Actor,
  messageId: string,
  classification: Classification,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_chat.classify_message($1, $2)', [messageId, classification]),
  )
}

export interface MessageEdit {
  readonly previousContent: string
  readonly editedAt: string
}

/** Previous versions of a message, oldest first. */
export async function listEdits(
  database: Database,
  actor: Actor,
  messageId: string,
): Promise<readonly MessageEdit[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<MessageEdit>(
        `select e.previous_content as "previousContent", ${timeJson('e.created_at')} as "editedAt"
         from akashi_chat.message_edits e where e.message_id = $1 order by e.created_at, e.id`,
        [messageId],
      ),
    { readOnly: true },
  )
  return rows
}

/** Returns the room's id. */
export function setReaction(
  database: Database,
  actor: Actor,
  messageId: string,
  emoji: string,
  wanted: boolean,
): Promise<string> {
  const verb = wanted ? 'add_reaction' : 'remove_reaction'
  return changed(database, actor, `select akashi_chat.${verb}($1, $2)`, [messageId, emoji])
}

/** Moves the caller's read position back to just before this message. */
export async function markUnread(database: Database, actor: Actor, messageId: string): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_chat.mark_unread($1)', [messageId]),
  )
}

/**
 * The conversation that a message belongs to, oldest first: its first message, the replies to that, to those and so on.
 * @throws not_found also for a message that the caller may not see
 */
export async function readThread(
  database: Database,
  actor: Actor,
  messageId: string,
): Promise<readonly Message[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ message: Message }>(
        `select ${messageJson('m')} as message from akashi_chat.conversation($1, $2) m order by m.created_at`,
        [messageId, MAX_THREAD_MESSAGES],
      ),
    { readOnly: true },
  )
  only(rows)
  return rows.map(({ message }) => message)
}

/** Moves the caller's read position forward to this message, never back. */
export async function markRead(database: Database, actor: Actor, messageId: string): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_chat.mark_read($1)', [messageId]),
  )
}
