/** Filters of event queries; validation reports every mistake at once. */
import { remediationStates } from '@akashi/contract'
import { z } from 'zod'
import { betweenFields, filterField, inOrder } from '../../foundation/index.ts'
import { eventCategories, eventResults, severities } from '../event.ts'

const { value, text, time, address, limit } = filterField

/** Filters common to all event queries. */
export const eventConditions = {
  /** Events at or after this time. */
  from: time.optional(),
  /** Events before this time. */
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
  assignee: z.guid('is not a UUID').optional(),
}

const conditions = z.strictObject(eventConditions)
export type EventConditions = z.output<typeof conditions>

export const eventFilter = z
  .strictObject({
    ...eventConditions,
    /** Case-insensitive substring of description or details. */
    text: text.optional(),
    cursor: z.string().optional(),
    limit,
  })
  .check(
    betweenFields(
      'text',
      'requires a time range (from)',
      (filter) => filter.text === undefined || filter.from !== undefined,
    ),
    betweenFields('to', 'is not after from', inOrder),
  )

/** See {@link eventFilter}; all fields are optional. */
export type EventFilter = z.input<typeof eventFilter>

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
