import { call } from '../api/index.ts'
import type { en } from '../i18n/en.ts'
import { type TrailRow, trailRow } from './trail-row.ts'

/** What people look for in their record, by its table. */
export const aboutTables = [
  'akashi_chat.messages',
  'akashi_chat.file_uploads',
  'akashi_chat.message_reactions',
  'akashi_chat.rooms',
  'akashi_chat.room_members',
  'akashi_chat.room_invitations',
  'akashi_chat.user_preferences',
  'akashi_auth.users',
  'akashi_auth.user_sessions',
  'akashi_auth.local_credentials',
  'akashi_auth.mfa_factors',
  'akashi_auth.passkeys',
  'akashi_auth.privacy_consents',
  'akashi_auth.user_roles',
  'akashi_auth.api_keys',
] as const
export type About = (typeof aboutTables)[number]

export interface RecordFilter {
  readonly by: 'me' | 'others'
  readonly about: About | null
  /** Days in the reader's zone, the last one included: 2026-11-30. */
  readonly from: string | null
  readonly to: string | null
}

/** The key of a table's name among the texts. */
export function thingOf(about: About): keyof typeof en.activity.things {
  const [schema = '', table = ''] = about.split('.')
  return `${schema.replace('akashi_', '')}_${table}` as keyof typeof en.activity.things
}

const PAGE_ROWS = 50

/** One page of the record, newest first. */
export async function pageOf(
  filter: RecordFilter,
  cursor: string | null,
  signal: AbortSignal,
  limit = PAGE_ROWS,
): Promise<{ readonly rows: readonly TrailRow[]; readonly next: string | null }> {
  const [schema, table] = filter.about?.split('.') ?? []
  const { rows, next } = await call('GET /v1/me/audit', {
    query: {
      by: filter.by,
      limit,
      ...(schema === undefined || table === undefined ? {} : { schema, table }),
      ...(filter.from === null ? {} : { from: startOf(filter.from, 0) }),
      ...(filter.to === null ? {} : { to: startOf(filter.to, 1) }),
      ...(cursor === null ? {} : { cursor }),
    },
    signal,
  })
  return { rows: rows.map(trailRow), next }
}

/** Midnight in the reader's zone, `later` days after a day. */
function startOf(day: string, later: number): string {
  const midnight = new Date(`${day}T00:00`)
  midnight.setDate(midnight.getDate() + later)
  return midnight.toISOString()
}
