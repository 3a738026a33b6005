/** Security events: sent by services, searched, counted over time, and their remediation: `/v1/events`. */
import { z } from 'zod'
import { json, list, rowPage, time } from './fields.ts'
import type { OperationTable } from './operation.ts'
import { remediationStates, submitFormats, timelineIntervals } from './vocabulary.ts'

const MAX_NOTES_LENGTH = 8_192

/** What is left out stays as it is; null removes. */
export const remediationChange = z
  .strictObject({
    status: z.enum(remediationStates).optional(),
    notes: z
      .string()
      .max(MAX_NOTES_LENGTH, `is over ${MAX_NOTES_LENGTH} characters`)
      .refine(
        (notes) => notes.isWellFormed() && !notes.includes('\0'),
        'contains a character that is not allowed',
      )
      .nullable()
      .optional(),
    assignee: z.guid('is not a UUID').nullable().optional().describe('id of a user'),
  })
  .refine((change) => Object.keys(change).length > 0, 'changes nothing: give status, notes or assignee')
export type RemediationChange = z.input<typeof remediationChange>

const remediation = z.object({
  eventId: z.string(),
  status: z.enum(remediationStates),
  notes: z.string().nullable(),
  assignee: z.string().nullable(),
  resolvedAt: time.nullable(),
  updatedAt: time,
})
export type Remediation = z.output<typeof remediation>

const text = z.string().optional()
const conditions = {
  from: text.describe('events at or after this time, ISO 8601 with an offset'),
  to: text.describe('events before this time'),
  type: text,
  category: text,
  severity: text,
  minSeverity: text.describe('this severity or higher'),
  service: text,
  result: text,
  userId: text,
  userName: text,
  externalUserId: text,
  sessionId: text,
  address: text.describe('an address, or a network such as 192.0.2.0/24'),
  resourceType: text,
  resourceId: text,
  tenantId: text,
  clientId: text,
  requestId: text,
  traceId: text,
  status: text.describe(`remediation: ${remediationStates.join(', ')}`),
  assignee: text,
}

const byId = z.strictObject({ id: z.string() })

const timeline = z.object({
  interval: z.string(),
  total: z.int(),
  buckets: list(z.object({ at: z.string(), count: z.int(), severities: z.record(z.string(), z.int()) })),
})

const submission = z.object({
  read: z.int().describe('lines, or records of a document'),
  accepted: z.int().describe('lines that gave at least one event, even if it was already stored'),
  stored: z.int().describe('events that were not stored before'),
  known: z.int(),
  rejected: list(z.object({ line: z.int(), reason: z.string() })),
})
export type Submission = z.output<typeof submission>

export const securityEventOperations = {
  'POST /v1/events': {
    summary: 'Send security events: one, an array, or JSON lines',
    description:
      'The time of an event must be between 7 days ago and 5 minutes ahead. Sending the same events again adds nothing. Events are checked one by one; if none is accepted, the status is 400.',
    query: z.strictObject({ format: z.enum(submitFormats).default('json') }),
    body: z.unknown().describe('an event, an array of events, or one per line'),
    response: submission,
  },
  'GET /v1/events': {
    summary: 'Security events, newest first',
    query: z.strictObject({
      ...conditions,
      text: text.describe('searched for in descriptions and details; requires from'),
      cursor: text.describe('next of the previous page'),
      limit: z.coerce.number<number>().optional(),
    }),
    response: rowPage,
  },
  'GET /v1/events/timeline': {
    summary: 'The number of events in each interval',
    query: z.strictObject({
      ...conditions,
      from: z.string(),
      to: z.string(),
      interval: z.enum(timelineIntervals),
    }),
    response: timeline,
  },
  'GET /v1/events/{id}': { summary: 'One security event', params: byId, response: json },
  'GET /v1/events/{id}/remediation': {
    summary: 'The remediation of an event and its history, oldest first',
    params: byId,
    response: z.object({
      status: z.enum(remediationStates),
      notes: z.string().nullable(),
      assignee: z.string().nullable(),
      changes: list(
        z.object({
          at: time,
          by: z.string().nullable().describe('id of a user, or who else acted'),
          status: z.string().nullable(),
          notes: z.string().nullable(),
          assignee: z.string().nullable(),
        }),
      ),
    }),
  },
  'PATCH /v1/events/{id}': {
    summary: 'Change the remediation of an event; only the given fields change',
    params: byId,
    body: remediationChange,
    response: remediation,
  },
} as const satisfies OperationTable
