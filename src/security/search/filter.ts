/** Filters of event queries; validation reports every mistake at once. */
import { remediationStates } from '@akashi/contract'
import { z } from 'zod'
import { eventCategories, eventResults, severities } from '../event.ts'

/** Default and maximum rows of a page. */
const DEFAULT_PAGE_ROWS = 50
const MAX_PAGE_ROWS = 500
/** Longest value in an equality filter, in characters. */
const MAX_VALUE_LENGTH = 1_000
/** Longest search text, in characters. */
const MAX_TEXT_LENGTH = 200

/** PostgreSQL cannot store U+0000 or lone surrogates. */
const storable = (value: string): boolean => value.isWellFormed() && !value.includes('\u0000')

const value = z
  .string()
  .min(1, 'is empty')
  .max(MAX_VALUE_LENGTH, `is over ${MAX_VALUE_LENGTH} characters`)
  .refine(storable, 'contains U+0000 or a lone surrogate')

const uuid = z.guid('is not a UUID')
export const time = z.iso.datetime({ offset: true, error: 'is not an ISO 8601 time with an offset' })

/** An address or a network such as `2001:db8::/32`. */
const address = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'is neither an address nor a network')

/** Filters common to all event queries. */
export const eventConditions = {
  /** Events at or after. */
  from: time.optional(),
  /** Events before. */
  to: time.optional(),
  type: value.optional(),
  category: z.enum(eventCategories).optional(),
  severity: z.enum(severities).optional(),
  /** This severity and higher ones. */
  minSeverity: z.enum(severities).optional(),
  service: value.optional(),
  result: z.enum(eventResults).optional(),
  userId: value.optional(),
  userName: value.optional(),
  externalUserId: value.optional(),
  sessionId: value.optional(),
  address: address.optional(),
  resourceType: value.optional(),
  resourceId: value.optional(),
  tenantId: value.optional(),
  clientId: value.optional(),
  requestId: value.optional(),
  traceId: value.optional(),
  status: z.enum(remediationStates).optional(),
  assignee: uuid.optional(),
}

const conditions = z.strictObject(eventConditions)
export type EventConditions = z.output<typeof conditions>

export const eventFilter = z
  .strictObject({
    ...eventConditions,
    /** Case-insensitive substring of description or details. */
    text: value.max(MAX_TEXT_LENGTH, `is over ${MAX_TEXT_LENGTH} characters`).optional(),
    cursor: z.string().optional(),
    limit: z
      .int('is not a whole number')
      .min(1, 'is below 1')
      .max(MAX_PAGE_ROWS, `is over ${MAX_PAGE_ROWS}`)
      .default(DEFAULT_PAGE_ROWS),
  })
  .check(
    z.refine(({ text, from }) => text === undefined || from !== undefined, {
      path: ['text'],
      error: 'requires a time range (from)',
    }),
    z.refine(inOrder, { path: ['to'], error: 'is not after from' }),
  )

/** See {@link eventFilter}; all fields are optional. */
export type EventFilter = z.input<typeof eventFilter>

export function inOrder(filter: {
  readonly from?: string | undefined
  readonly to?: string | undefined
}): boolean {
  const { from, to } = filter
  return from === undefined || to === undefined || Date.parse(from) < Date.parse(to)
}

const equalities: readonly (readonly [key: keyof EventConditions, column: string])[] = [
  ['type', 'event_type'],
  ['category', 'event_category'],
  ['severity', 'severity'],
  ['service', 'source_service'],
  ['result', 'result'],
  ['userId', 'user_id'],
  ['userName', 'user_name'],
  ['externalUserId', 'external_user_id'],
  ['sessionId', 'session_id'],
  ['resourceType', 'resource_type'],
  ['resourceId', 'resource_id'],
  ['tenantId', 'tenant_id'],
  ['clientId', 'client_id'],
  ['requestId', 'request_id'],
  ['traceId', 'trace_id'],
  ['status', 'remediation_status'],
  ['assignee', 'assignee'],
]

/** SQL conditions over `akashi_security.v_security_events e`, with each value passed to `parameter`. */
export function conditionsOf(filter: EventConditions, parameter: (value: unknown) => string): string[] {
  const found: string[] = []
  for (const [key, column] of equalities) {
    if (filter[key] !== undefined) found.push(`e.${column} = ${parameter(filter[key])}`)
  }
  const { from, to, minSeverity, address: within } = filter
  if (from !== undefined) found.push(`e.created_at >= ${parameter(from)}::timestamptz`)
  if (to !== undefined) found.push(`e.created_at < ${parameter(to)}::timestamptz`)
  if (minSeverity !== undefined) {
    const urgent = severities.slice(severities.indexOf(minSeverity))
    found.push(`e.severity = any (${parameter(urgent)}::text[])`)
  }
  // Equality uses the index on addresses, containment does not.
  if (within !== undefined) {
    found.push(`e.source_ip ${within.includes('/') ? '<<=' : '='} ${parameter(within)}::inet`)
  }
  return found
}
