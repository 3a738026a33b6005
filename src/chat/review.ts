/** Reading rooms of others as a security administrator: the database demands the reason and records the reading. */
import type { EarlierText, ReviewedMessage } from '@akashi/contract'
import type { Actor, Database } from '../postgres/index.ts'
import { personJson, timeJson } from './json-sql.ts'

/**
 * Messages of any room, newest first.
 *
 * @param before RFC 3339; only messages from before it
 * @throws AkashiError forbidden; invalid_input for a reason that states nothing
 */
export async function reviewRoom(
  securityAdmin: Database,
  actor: Actor,
  asked: {
    readonly roomId: string
    readonly reason: string
    readonly before?: string | undefined
    readonly limit: number
  },
): Promise<readonly ReviewedMessage[]> {
  const { rows } = await securityAdmin.transaction(actor, (session) =>
    session.query<ReviewedMessage>(
      `select m.id, ${personJson('m.user_id')} as author, m.message_type as type, case when m.content_encrypted then '' else m.content end as content,
         m.content_encrypted as "isEncrypted", m.is_edited as "isEdited",
         m.is_deleted as "isDeleted", ${timeJson('m.created_at')} as "createdAt"
       from akashi_chat.read_as_security_admin($1, $2, coalesce($3::timestamptz, 'infinity'), $4) m
       order by m.created_at desc`,
      [asked.roomId, asked.reason, asked.before ?? null, asked.limit],
    ),
  )
  return rows
}

/** What a message said before, oldest first. @throws as {@link reviewRoom}; not_found */
export async function reviewMessage(
  securityAdmin: Database,
  actor: Actor,
  messageId: string,
  reason: string,
): Promise<readonly EarlierText[]> {
  const { rows } = await securityAdmin.transaction(actor, (session) =>
    session.query<EarlierText>(
      `select case when e.content_encrypted then '' else e.previous_content end as "previousContent",
         e.content_encrypted as "isEncrypted", ${timeJson('e.created_at')} as at
       from akashi_chat.read_edits_as_security_admin($1, $2) e order by e.created_at`,
      [messageId, reason],
    ),
  )
  return rows
}
