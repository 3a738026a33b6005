import { type Severity, severities } from '@akashi/contract'
import { z } from 'zod'
import { normaliseAddress } from './ingest/address.ts'
import { normaliseTime } from './ingest/time.ts'

/**
 * A security event: something security-relevant that happened in a service.
 *
 * - type: what happened, in snake_case (`authentication_failure`); detectors count by it.
 * - category: the area of security.
 * - severity: how urgently a person must react.
 * - details: everything that has no field of its own.
 */

/** Includes categories for host logs and for the protection of the record itself. */
export const eventCategories = [
  'authentication',
  'authorization',
  'data_access',
  'configuration',
  'network',
  'system',
  'integrity',
] as const
export type EventCategory = (typeof eventCategories)[number]

export { type Severity, severities }

export const eventResults = ['success', 'failure'] as const
export type EventResult = (typeof eventResults)[number]

/** Maximum lengths of the columns, in characters. */
export const EVENT_TYPE_CHARACTERS = 50
export const SOURCE_SERVICE_CHARACTERS = 50
export const RESOURCE_TYPE_CHARACTERS = 50
export const RESOURCE_ID_CHARACTERS = 255
export const ACTION_CHARACTERS = 100
export const NAME_CHARACTERS = 255
export const USER_AGENT_CHARACTERS = 2048
export const DESCRIPTION_CHARACTERS = 8192

/** Times are strings: PostgreSQL stores microseconds, a Date only milliseconds. */
export interface SecurityEvent {
  readonly id: string
  readonly event_type: string
  readonly event_category: EventCategory
  readonly severity: Severity
  readonly source_service: string
  readonly description: string | null
  readonly user_id: string | null
  readonly user_name: string | null
  readonly external_user_id: string | null
  readonly session_id: string | null
  /** Canonical text of an IPv4 or IPv6 address without a zone; an IPv4-mapped one is IPv4. */
  readonly source_ip: string | null
  readonly user_agent: string | null
  readonly resource_type: string | null
  readonly resource_id: string | null
  readonly action_performed: string | null
  readonly result: EventResult | null
  readonly tenant_id: string | null
  readonly tenant_name: string | null
  readonly client_id: string | null
  readonly client_name: string | null
  readonly request_id: string | null
  readonly trace_id: string | null
  /** Class of the Open Cybersecurity Schema Framework, such as 3002 for authentication. */
  readonly ocsf_class_uid: number | null
  readonly event_details: Readonly<Record<string, unknown>>
  /** When it happened: RFC 3339 in UTC, `2016-12-09T22:55:48Z`, with up to six digits of a second. */
  readonly created_at: string
}

/** An event without its id. */
export type UnidentifiedEvent = Omit<SecurityEvent, 'id'>

const text = (characters: number) => z.string().min(1).max(characters).nullable().default(null)
/** Longest id of a person or a session, in characters. */
const ACTOR_ID_CHARACTERS = 255
const uuid = z
  .guid()
  .transform((value) => value.toLowerCase())
  .nullable()
  .default(null)

const address = z
  .string()
  .transform((value, context) => {
    const found = normaliseAddress(value)
    if (found !== null) return found
    context.addIssue({ code: 'custom', message: 'not an IP address' })
    return z.NEVER
  })
  .nullable()
  .default(null)

const time = z.string().transform((value, context) => {
  const found = normaliseTime(value)
  if (found !== null) return found
  context.addIssue({ code: 'custom', message: 'not a time with an offset, such as 2026-01-31T12:00:00Z' })
  return z.NEVER
})

/**
 * An event in Akashi's own field names, as accepted in JSON lines, over HTTP and by the library. Unknown fields
 * are refused, since misspelt ones would be lost silently.
 */
export const eventInputSchema = z.strictObject({
  id: uuid,
  event_type: z.string().min(1).max(EVENT_TYPE_CHARACTERS),
  event_category: z.enum(eventCategories),
  severity: z.enum(severities),
  source_service: z.string().min(1).max(SOURCE_SERVICE_CHARACTERS),
  description: text(DESCRIPTION_CHARACTERS),
  user_id: text(ACTOR_ID_CHARACTERS),
  user_name: text(NAME_CHARACTERS),
  external_user_id: text(NAME_CHARACTERS),
  session_id: text(ACTOR_ID_CHARACTERS),
  source_ip: address,
  user_agent: text(USER_AGENT_CHARACTERS),
  resource_type: text(RESOURCE_TYPE_CHARACTERS),
  resource_id: text(RESOURCE_ID_CHARACTERS),
  action_performed: text(ACTION_CHARACTERS),
  result: z.enum(eventResults).nullable().default(null),
  tenant_id: text(NAME_CHARACTERS),
  tenant_name: text(NAME_CHARACTERS),
  client_id: text(NAME_CHARACTERS),
  client_name: text(NAME_CHARACTERS),
  request_id: text(NAME_CHARACTERS),
  trace_id: text(NAME_CHARACTERS),
  ocsf_class_uid: z.int32().positive().nullable().default(null),
  event_details: z.record(z.string(), z.unknown()).default({}),
  created_at: time,
})

export type EventInput = z.input<typeof eventInputSchema>

/** `value` truncated to `characters` without splitting a surrogate pair; null if missing or empty. */
export function fit(value: string | null | undefined, characters: number): string | null {
  if (value === null || value === undefined || value === '') return null
  return value.length <= characters ? value : value.slice(0, characters).replace(/[\ud800-\udbff]$/, '')
}
