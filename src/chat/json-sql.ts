/** SQL expressions for the JSON shapes of the contract, so that a page takes one query. Arguments are column names or aliases, never values. */
import { MESSAGE_PREVIEW_CHARACTERS } from '@akashi/contract'
import { z } from 'zod'

/** The beginning of a message's text. Ciphertext stays whole: it is shortened once it was read. */
export function previewJson(m: string, characters: number = MESSAGE_PREVIEW_CHARACTERS): string {
  return `case when ${m}.content_encrypted then ${m}.content else left(${m}.content, ${characters}) end`
}

/** ISO 8601 in UTC with milliseconds, like `Date.prototype.toISOString`. */
export function timeJson(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
}

/** A time as a cursor holds it: microseconds since 1970, exact. */
export function cursorTime(column: string): string {
  return `(extract(epoch from ${column}) * 1000000)::bigint::text`
}

/** The time that {@link cursorTime} wrote. */
export function timeOfCursor(parameter: string): string {
  return `(to_timestamp(0) + ${parameter}::bigint * interval '1 microsecond')`
}

/** A place in a list that is ordered by time and id. */
export const placeInTime = z.tuple([z.string().regex(/^\d{1,16}$/), z.guid()])

/** A person, or null when there is none. */
export function personJson(userId: string): string {
  return `(select jsonb_build_object('id', u.id, 'username', u.username, 'displayName', u.display_name, 'avatarUrl', u.avatar_url)
    from akashi_auth.profiles u where u.id = ${userId})`
}

export function fileJson(file: string): string {
  return `jsonb_build_object('id', ${file}.id, 'roomId', ${file}.room_id, 'messageId', ${file}.message_id,
    'name', ${file}.original_name, 'size', ${file}.file_size, 'mimeType', ${file}.mime_type,
    'classification', ${file}.security_classification, 'status', ${file}.upload_status,
    'failureReason', ${file}.failure_reason, 'hasThumbnail', ${file}.thumbnail_path is not null,
    'width', ${file}.width, 'height', ${file}.height,
    'keepsMetadata', ${file}.upload_status = 'completed' and ${file}.thumbnail_path is null and ${file}.mime_type ~ '^(image|video)/')`
}

/**
 * A message of akashi_chat.messages as clients show it. `fresh` omits what a message that was just written cannot
 * have yet, and the original message unless `reply`, which saves planning time.
 */
export function messageJson(m: string, fresh?: { readonly reply: boolean }): string {
  const replyTo = `(select jsonb_build_object('id', q.id, 'author', ${personJson('q.user_id')}, 'content', ${previewJson('q')},
        'type', q.message_type, 'isDeleted', q.is_deleted)
      from akashi_chat.messages q where q.id = ${m}.reply_to_id and q.created_at = akashi_chat.message_time(${m}.reply_to_id))`
  const reactions = `coalesce((select jsonb_agg(jsonb_build_object('emoji', g.emoji, 'userIds', g.people) order by g.first)
      from (select r.emoji, jsonb_agg(r.user_id order by r.created_at, r.id) as people, min(r.created_at) as first
            from akashi_chat.message_reactions r where r.message_id = ${m}.id group by r.emoji) g), '[]')`
  const file = `(select ${fileJson('f')} from akashi_chat.file_uploads f where f.id = ${m}.file_upload_id)`
  return `jsonb_build_object('id', ${m}.id, 'roomId', ${m}.room_id, 'sequence', ${m}.sequence, 'type', ${m}.message_type,
    'content', ${m}.content, 'author', ${personJson(`${m}.user_id`)},
    'replyTo', ${fresh?.reply === false ? 'null' : replyTo},
    'mentions', to_jsonb(${m}.mentioned_user_ids),
    'reactions', ${fresh === undefined ? reactions : "'[]'::jsonb"}, 'file', ${fresh === undefined ? file : 'null'},
    'clientId', ${m}.client_id, 'classification', ${m}.security_classification, 'isEdited', ${m}.is_edited, 'isDeleted', ${m}.is_deleted,
    'isEncrypted', ${m}.content_encrypted, 'unreadable', null,
    'createdAt', ${timeJson(`${m}.created_at`)}, 'updatedAt', ${timeJson(`${m}.updated_at`)})`
}
