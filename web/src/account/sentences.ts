/** What a row of the trail says, as a sentence: “Sent a message in General”. */
import type { TFunction } from 'i18next'
import { currentLanguage } from '../i18n/index.ts'
import type { en } from './locales/en.ts'
import type { AccountTexts } from './locales/index.ts'
import { nameOfTable } from './table-names.ts'
import { type Operation, type TrailRow, textOf } from './trail-row.ts'
import { deviceOf } from './user-agent.ts'
import { fieldName } from './values.ts'

type Did = Exclude<keyof typeof en.did, 'other'>

/** What sentences are made with. */
export interface Telling {
  readonly t: AccountTexts
  /** The texts of the shell, which has the names of tables. */
  readonly shell: TFunction
  /** Who reads. */
  readonly userId: string
  /** Names of the rooms that the reader is in; null of a direct room. */
  readonly rooms: ReadonlyMap<string, string | null>
}

type Kind = `${string}.${Operation}`
type Tell = (row: TrailRow, userId: string) => Did | null

const changed = (row: TrailRow, field: string) => row.fields.includes(field)
const becomes = (row: TrailRow, field: string, value: unknown) =>
  changed(row, field) && row.after[field] === value
const sets = (row: TrailRow, field: string) => changed(row, field) && (row.after[field] ?? null) !== null

/** What a row of each table means; null where nothing better is known than the name of the table. */
const tell: Readonly<Record<Kind, Tell>> = {
  'chat_messages.INSERT': ({ after }) => (after['file_upload_id'] ? 'sentFile' : 'sentMessage'),
  'chat_messages.UPDATE': (row) => {
    if (becomes(row, 'is_deleted', true)) return 'deletedMessage'
    if (changed(row, 'content')) return 'editedMessage'
    return changed(row, 'security_classification') ? 'classifiedMessage' : null
  },
  'chat_message_reactions.INSERT': () => 'reacted',
  'chat_message_reactions.DELETE': () => 'unreacted',
  'chat_pinned_messages.INSERT': () => 'pinned',
  'chat_pinned_messages.DELETE': () => 'unpinned',
  'chat_saved_messages.INSERT': () => 'saved',
  'chat_saved_messages.DELETE': () => 'unsaved',
  'chat_file_uploads.INSERT': () => 'uploaded',
  'chat_file_uploads.UPDATE': (row) => (becomes(row, 'is_deleted', true) ? 'deletedFile' : null),
  'chat_rooms.INSERT': () => 'createdRoom',
  'chat_rooms.UPDATE': (row) => {
    if (becomes(row, 'is_deleted', true)) return 'deletedRoom'
    if (changed(row, 'is_active')) return row.after['is_active'] === true ? 'restoredRoom' : 'archivedRoom'
    return changed(row, 'name') ? 'renamedRoom' : 'changedRoom'
  },
  'chat_room_members.INSERT': (row, userId) =>
    row.after['user_id'] === userId || row.after['user_id'] === undefined ? 'joined' : 'addedMember',
  'chat_room_members.UPDATE': (row) => {
    if (sets(row, 'banned_at')) return 'banned'
    if (sets(row, 'removed_at')) return 'removedMember'
    if (changed(row, 'is_active')) return row.after['is_active'] === true ? 'joined' : 'left'
    if (changed(row, 'role')) return 'changedRole'
    return changed(row, 'notification_level') ? 'changedLevel' : null
  },
  'chat_room_invitations.INSERT': () => 'invited',
  'chat_room_invitations.UPDATE': ({ after }) => {
    const answers = { accepted: 'accepted', declined: 'declined', revoked: 'revoked' } as const
    return Object.entries(answers).find(([status]) => status === after['status'])?.[1] ?? null
  },
  'chat_user_preferences.INSERT': () => 'firstPreferences',
  'chat_user_preferences.UPDATE': () => 'changedPreferences',
  'auth_users.INSERT': () => 'createdAccount',
  'auth_users.UPDATE': ({ fields }) =>
    fields.every((field) => field === 'last_login_at') ? 'signedInOnce' : 'changedAccount',
  'auth_user_sessions.INSERT': () => 'signedIn',
  'auth_user_sessions.UPDATE': (row) => {
    if (sets(row, 'revoked_at')) return 'endedSession'
    if (becomes(row, 'security_validated', true)) return 'usedFactor'
    return changed(row, 'authenticated_at') ? 'confirmed' : null
  },
  'auth_local_credentials.INSERT': () => 'changedPassword',
  'auth_local_credentials.UPDATE': () => 'changedPassword',
  'auth_password_history.INSERT': () => 'keptPassword',
  'auth_mfa_factors.INSERT': () => 'startedFactor',
  'auth_mfa_factors.UPDATE': (row) => (sets(row, 'confirmed_at') ? 'addedFactor' : null),
  'auth_mfa_factors.DELETE': () => 'removedFactor',
  'auth_passkeys.INSERT': () => 'addedPasskey',
  'auth_passkeys.DELETE': () => 'removedPasskey',
  'auth_recovery_codes.INSERT': () => 'madeCodes',
  'auth_recovery_codes.UPDATE': () => 'usedCode',
  'auth_recovery_codes.DELETE': () => 'droppedCodes',
  'auth_privacy_consents.INSERT': ({ after }) => (after['decision'] === 'granted' ? 'agreed' : 'withdrew'),
  'auth_api_keys.INSERT': () => 'madeKey',
  'auth_api_keys.UPDATE': (row) => (sets(row, 'revoked_at') ? 'revokedKey' : null),
  'auth_user_roles.INSERT': () => 'gaveRole',
  'auth_user_roles.DELETE': () => 'tookRole',
}

/** The names of Akashi's tables in the texts; null for tables of applications. */
function nameOf({ schema, table }: TrailRow): string | null {
  return schema?.startsWith('akashi_') === true ? `${schema.slice('akashi_'.length)}_${table ?? ''}` : null
}

/** A sentence about what the reader did, or about what others did to them. */
export function sentenceOf(telling: Telling, row: TrailRow, by: 'me' | 'others'): string {
  const { t, shell, userId } = telling
  const { operation } = row
  if (operation === null) {
    return row.resource === null
      ? t('did.action', { action: row.action })
      : t('did.read', { resource: row.resource })
  }
  const thing = nameOfTable(shell, row)
  const did = tell[`${nameOf(row) ?? ''}.${operation}`]?.(row, userId) ?? null
  if (by === 'others') {
    const happened = did === 'joined' ? 'addedMember' : did
    return isHappening(t, happened)
      ? t(`happened.${happened}`, valuesOf(telling, row))
      : t(`happened.other.${operation}`, { thing })
  }
  return did === null ? t(`did.other.${operation}`, { thing }) : t(`did.${did}`, valuesOf(telling, row))
}

type Happened = Exclude<keyof typeof en.happened, 'other'>

function isHappening(t: AccountTexts, did: string | null): did is Happened {
  return did !== null && t(`happened.${did as Happened}`, { defaultValue: '' }) !== ''
}

function valuesOf(telling: Telling, row: TrailRow) {
  const { t, shell } = telling
  const value = (field: string) => textOf(row.after[field]) ?? textOf(row.before[field])
  const device = deviceOf(value('user_agent'))
  const purpose = value('purpose') ?? ''
  const role = value('role')
  return {
    room: roomOf(telling, row),
    before: inQuotes(t, textOf(row.before['name']) ?? ''),
    emoji: value('emoji') ?? '',
    fields: new Intl.ListFormat(currentLanguage(), { style: 'narrow', type: 'conjunction' }).format(
      new Set(row.fields.map((field) => fieldName(t, field))),
    ),
    device: device === null ? shell('sessions.unknown') : `${device.browser} (${device.system})`,
    purpose: shell(`privacy.purposes.${purpose as 'service'}.title`, { defaultValue: purpose }),
    role: role === null ? '' : t(`role.${role as 'member'}`, { defaultValue: role }),
  }
}

function inQuotes(t: AccountTexts, room: string): string {
  return t('inRoom', { room })
}

/** The name of the room: as the row has it, else as the reader knows it now. */
function roomOf({ t, rooms }: Telling, row: TrailRow): string {
  const isRoom = row.table === 'rooms'
  const values = { ...row.before, ...row.after }
  if (isRoom && (values['room_type'] === 'direct' || values['room_type'] === 'group')) return t('aDirect')
  const own = isRoom ? textOf(values['name']) : null
  if (own !== null) return inQuotes(t, own)
  const id = textOf(values[isRoom ? 'id' : 'room_id'])
  const known = id === null ? undefined : rooms.get(id)
  if (known === null) return t('aDirect')
  return known === undefined ? t('aRoom') : inQuotes(t, known)
}
