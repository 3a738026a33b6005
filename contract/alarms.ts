/** Alarms: what is wrong now, what was, who sees to it, and what is silenced: `/v1/alarms`. */
import { z } from 'zod'
import { byId, created, cursor, list, moment, next, pageSize, text, time } from './fields.ts'
import type { OperationTable } from './operation.ts'
import { alarmSeverities } from './vocabulary.ts'

const condition = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/)
const inBoth = z.object({ en: z.string(), ja: z.string() })

const alarm = z.object({
  id: z.string(),
  condition,
  subject: z
    .string()
    .describe(
      'what it is about, where a condition can have several: a job, a table, a process; otherwise empty',
    ),
  severity: z.enum(alarmSeverities),
  detail: z.string().describe('what was observed, one line'),
  value: z.number().nullable(),
  beganAt: time.describe('since when the condition holds'),
  openedAt: time,
  seenAt: time.describe('when it was last observed'),
  acknowledgedAt: time.nullable(),
  acknowledgedBy: z.string().nullable().describe('id of a user, or a login'),
  note: z.string().nullable(),
  clearedAt: time.nullable(),
  silenced: z.boolean(),
})
export type Alarm = z.output<typeof alarm>

const definition = z.object({
  name: condition,
  severity: z.enum(alarmSeverities),
  title: inBoth,
  action: inBoth.describe('what to do'),
  runbook: z.string().describe('page and section of the documentation'),
  setting: z.string().nullable().describe('the setting that holds its limit'),
  seconds: z.number().describe('how long it must hold before the alarm opens'),
  open: z.int().describe('open alarms of the condition'),
})
export type AlarmDefinition = z.output<typeof definition>

const silence = z.object({
  id: z.string(),
  condition,
  subject: z.string().nullable().describe('null: every alarm of the condition'),
  reason: z.string(),
  createdAt: time,
  createdBy: z.string(),
  until: time,
  endedAt: time.nullable().describe('when somebody ended it early'),
  endedBy: z.string().nullable(),
})
export type AlarmSilence = z.output<typeof silence>

export const newSilence = z.strictObject({
  condition,
  subject: text(255).optional().describe('without it, every alarm of the condition'),
  until: moment.describe('at most 90 days from now'),
  reason: text(1_000).describe('recorded'),
})

export const alarmOperations = {
  'GET /v1/alarms': {
    summary: 'Open alarms, the most severe first',
    response: z.object({ alarms: list(alarm) }),
  },
  'GET /v1/alarms/history': {
    summary: 'Alarms that are or were open, newest first',
    query: z.strictObject({ condition: condition.optional(), cursor, limit: pageSize }),
    response: z.object({ rows: list(alarm), next }),
  },
  'GET /v1/alarms/conditions': {
    summary: 'The conditions that raise alarms, with their remedies',
    response: z.object({ conditions: list(definition) }),
  },
  'POST /v1/alarms/{id}/acknowledge': {
    summary: 'Acknowledge an open alarm',
    params: byId,
    body: z.strictObject({ note: text(1_000).optional().describe('recorded') }).nullish(),
  },
  'GET /v1/alarms/silences': {
    summary: 'Silences, current ones first',
    response: z.object({ silences: list(silence) }),
  },
  'POST /v1/alarms/silences': {
    summary: 'Silence alarms of a condition until a given time',
    body: newSilence,
    response: created,
    status: 201,
  },
  'DELETE /v1/alarms/silences/{id}': { summary: 'End a silence early', params: byId },
} as const satisfies OperationTable
