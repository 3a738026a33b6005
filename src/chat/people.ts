import {
  DEFAULT_PAGE_SIZE,
  type Notification,
  type NotificationPage,
  type Person,
  type PreferenceChanges,
  type Preferences,
  preferenceChanges,
} from '@akashi/contract'
import type { Actor, Database } from '../postgres/index.ts'
import { previewJson, timeJson } from './json-sql.ts'

/**
 * Active people whose names contain every word, those first whose name begins with the query. Compared as in the
 * search for messages: width, case and composition do not matter.
 */
export async function findPeople(
  database: Database,
  actor: Actor,
  query: { readonly matching: string; readonly roomId?: string; readonly limit?: number },
): Promise<readonly Person[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ person: Person }>(
        `select jsonb_build_object('id', p.id, 'username', p.username, 'displayName', p.display_name, 'avatarUrl', p.avatar_url) as person
         from akashi_auth.search_people($1, case when $2::uuid is not null then
           array(select m.user_id from akashi_chat.room_members m where m.room_id = $2 and m.is_active) end, $3) p`,
        [query.matching, query.roomId ?? null, query.limit ?? DEFAULT_PAGE_SIZE],
      ),
    { readOnly: true },
  )
  return rows.map(({ person }) => person)
}

const preferencesJson = `jsonb_build_object('locale', p.locale, 'timeZone', p.time_zone, 'theme', p.theme,
  'showPresence', p.show_presence, 'directMessages', p.direct_messages, 'notifyMentions', p.notify_mentions,
  'notifyReplies', p.notify_replies, 'notifyInvitations', p.notify_invitations)`

const preferenceColumns = {
  locale: 'locale',
  timeZone: 'time_zone',
  theme: 'theme',
  showPresence: 'show_presence',
  directMessages: 'direct_messages',
  notifyMentions: 'notify_mentions',
  notifyReplies: 'notify_replies',
  notifyInvitations: 'notify_invitations',
} as const satisfies Record<keyof Preferences, string>

const isPreference = (key: string): key is keyof Preferences => Object.hasOwn(preferenceColumns, key)

/** Changes the given preferences and returns all of them; without changes, only returns them. */
export async function setPreferences(
  database: Database,
  actor: Actor,
  changes: PreferenceChanges = {},
): Promise<Preferences> {
  const given = Object.entries(preferenceChanges.parse(changes)).filter(([, value]) => value !== undefined)
  const columns = given.flatMap(([key]) => (isPreference(key) ? [preferenceColumns[key]] : []))
  const { rows } = await database.transaction(actor, (session) =>
    session.query<{ preferences: Preferences }>(
      `insert into akashi_chat.user_preferences as p (${['user_id', ...columns].join(', ')})
       values (${['(select akashi_auth.current_user_id())', ...columns.map((_, at) => `$${at + 1}`)].join(', ')})
       on conflict (user_id) do update set ${columns.length === 0 ? 'locale = p.locale' : columns.map((column) => `${column} = excluded.${column}`).join(', ')}
       returning ${preferencesJson} as preferences`,
      given.map(([, value]) => value),
    ),
  )
  const [row] = rows
  if (row === undefined) throw new Error('an insert returned nothing')
  return row.preferences
}

/** Characters of a message shown in its notification. */
export const NOTIFICATION_PREVIEW_CHARACTERS = 120

/** Newest first; marks them as delivered. There is no preview of messages that the caller may no longer see. */
export async function listNotifications(
  database: Database,
  actor: Actor,
  query: { readonly before?: string; readonly limit?: number } = {},
): Promise<NotificationPage> {
  const limit = query.limit ?? DEFAULT_PAGE_SIZE
  const { rows } = await database.transaction(actor, async (session) => {
    const page = await session.query<{ notification: Notification; unread: number; place: string }>(
      `select jsonb_build_object('id', n.id, 'type', n.notification_type,
           'room', jsonb_build_object('id', r.id, 'name', r.name, 'type', r.room_type, 'isEncrypted', r.is_encrypted), 'messageId', n.message_id,
           'actor', (select jsonb_build_object('id', u.id, 'username', u.username, 'displayName', u.display_name, 'avatarUrl', u.avatar_url)
             from akashi_auth.profiles u where u.id = n.actor_id),
           'preview', (select ${previewJson('m', NOTIFICATION_PREVIEW_CHARACTERS)} from akashi_chat.messages m
             where m.id = n.message_id and m.created_at = akashi_chat.message_time(n.message_id)),
           'readAt', ${timeJson('n.read_at')}, 'createdAt', ${timeJson('n.created_at')}) as notification,
           to_char(n.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as place,
           (select count(*)::int from akashi_chat.notifications c join akashi_chat.rooms v on v.id = c.room_id where c.read_at is null) as unread
         from akashi_chat.notifications n join akashi_chat.rooms r on r.id = n.room_id
         where n.created_at < coalesce($1::timestamptz, 'infinity') order by n.created_at desc limit $2`,
      [query.before ?? null, limit + 1],
    )
    await session.query(
      `update akashi_chat.notifications set delivery_status = 'delivered', delivered_at = now()
         where id = any ($1) and delivery_status = 'pending'`,
      [page.rows.map(({ notification }) => notification.id)],
    )
    return page
  })
  const shown = rows.slice(0, limit)
  return {
    notifications: shown.map(({ notification }) => notification),
    unread: rows[0]?.unread ?? 0,
    next: rows.length > limit ? (shown.at(-1)?.place ?? null) : null,
  }
}

/** Marks the caller's notifications as read: the given ones, or all. */
export async function readNotifications(
  database: Database,
  actor: Actor,
  ids?: readonly string[],
): Promise<number> {
  const { rowCount } = await database.transaction(actor, (session) =>
    session.query(
      'update akashi_chat.notifications set read_at = now() where read_at is null and ($1::uuid[] is null or id = any ($1))',
      [ids ?? null],
    ),
  )
  return rowCount
}
