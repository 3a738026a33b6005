/** Channels to which security events and rows of the trail are sent: `/v1/channels`. */
import { z } from 'zod'
import { byId, cursor, id, list, next, pageSize, text, time } from './fields.ts'
import type { OperationTable } from './operation.ts'
import { channelFormats, channelKinds, channelLogs, severities } from './vocabulary.ts'

const MAX_DESTINATION_CHARACTERS = 2_048
const MAX_SECRET_CHARACTERS = 4_096
const MAX_TYPES = 100
const MAX_PER_MINUTE = 100_000

const channel = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(channelKinds),
  log: z.enum(channelLogs),
  format: z.enum(channelFormats),
  minSeverity: z.enum(severities),
  types: list(z.string()),
  destination: z.string(),
  hasSecret: z.boolean(),
  perMinute: z.int(),
  state: z.enum(['active', 'paused']),
  position: z.number().describe('the first position of the log that is not delivered'),
  waiting: z.number().describe('rows of the log after it, whether the channel sends them or not'),
  failures: z.int().describe('attempts since the last success'),
  lastError: z.string().nullable(),
  nextAttemptAt: time,
  lastDeliveredAt: time.nullable(),
  deadLetters: z.int().describe('not replayed yet'),
})
export type Channel = z.output<typeof channel>

const changeable = {
  minSeverity: z.enum(severities).optional(),
  types: z
    .array(text(100))
    .max(MAX_TYPES)
    .optional()
    .describe('types of events, or tables of the trail; none: all'),
  perMinute: z.int().min(1).max(MAX_PER_MINUTE).optional(),
}
const destination = text(MAX_DESTINATION_CHARACTERS).describe(
  'a URL without a password: see docs/delivery.md',
)
const secret = text(MAX_SECRET_CHARACTERS)

export const deliveryOperations = {
  'GET /v1/channels': {
    summary: 'Channels with their position; never their secrets',
    response: z.object({ channels: list(channel) }),
  },
  'POST /v1/channels': {
    summary: 'Add a channel; it sends what is recorded from now on',
    body: z.strictObject({
      name: z
        .string()
        .max(100)
        .regex(/^[a-z0-9][a-z0-9_.-]*$/, 'lowercase letters, digits, dots, dashes and underscores'),
      kind: z.enum(channelKinds),
      log: z.enum(channelLogs).default('security_events'),
      format: z.enum(channelFormats).default('akashi'),
      destination,
      secret: secret.optional(),
      ...changeable,
    }),
    response: channel,
    status: 201,
  },
  'PATCH /v1/channels/{id}': {
    summary: 'Change, pause or resume a channel; only the given fields change',
    params: byId,
    body: z
      .strictObject({
        destination: destination.optional(),
        secret: secret.nullable().optional(),
        state: z.enum(['active', 'paused']).optional(),
        ...changeable,
      })
      .refine((change) => Object.keys(change).length > 0, 'changes nothing'),
    response: channel,
  },
  'DELETE /v1/channels/{id}': { summary: 'Remove a channel with its dead letters', params: byId },
  'POST /v1/channels/{id}/test': {
    summary: 'Send a test message',
    params: byId,
    response: z.object({ delivered: z.boolean(), error: z.string().nullable(), milliseconds: z.int() }),
  },
  'GET /v1/channels/{id}/dead-letters': {
    summary: 'Messages that could not be delivered, oldest first',
    params: byId,
    query: z.strictObject({ cursor, limit: pageSize }),
    response: z.object({
      rows: list(
        z.object({
          position: z.number(),
          rowId: z.string(),
          error: z.string(),
          at: time,
          replaying: z.boolean(),
        }),
      ),
      next,
    }),
  },
  'POST /v1/channels/{id}/replay': {
    summary: 'Send dead letters again, all or some rows',
    params: byId,
    body: z.strictObject({ rows: z.array(id).min(1).max(1_000).optional() }),
    response: z.object({ replaying: z.int() }),
    status: 202,
  },
} as const satisfies OperationTable
