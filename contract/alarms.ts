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
    .describe('what it is about where it can be several: a job, a table, a process; else empty'),
  severity: z.enum(alarmSeverities),
  detail: z.string().describe('what is seen, one line'),
  value: z.number().nullable(),
  beganAt: time.describe('since when the condition holds'),
  openedAt: time,
  seenAt: time.describe('when it was last seen to hold'),
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
  open: z.int().describe('alarms of it that are open'),
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
  endedAt: time.nullable().describe('when somebody ended it before its time'),
  endedBy: z.string().nullable(),
})
export type AlarmSilence = z.output<typeof silence>

export const newSilence = z.strictObject({
  condition,
  subject: text(255).optional().describe('without it, every alarm of the condition'),
  until: moment.describe('90 days from now at most'),
  reason: text(1_000).describe('recorded'),
})

export const alarmOperations = {
  'GET /v1/alarms': {
    summary: 'Alarms that are open, the most severe first',
    response: z.object({ alarms: list(alarm) }),
  },
  'GET /v1/alarms/history': {
    summary: 'Alarms that are or were open, newest first',
    query: z.strictObject({ condition: condition.optional(), cursor, limit: pageSize }),
    response: z.object({ rows: list(alarm), next }),
  },
  'GET /v1/alarms/conditions': {
    summary: 'What an alarm is raised for, and what to do then',
    response: z.object({ conditions: list(definition) }),
  },
  'POST /v1/alarms/{id}/acknowledge': {
    summary: 'Say that one sees to an open alarm',
    params: byId,
    body: z.strictObject({ note: text(1_000).optional().describe('recorded') }).nullish(),
  },
  'GET /v1/alarms/silences': {
    summary: 'Silences, those that last first',
    response: z.object({ silences: list(silence) }),
  },
  'POST /v1/alarms/silences': {
    summary: 'Keep alarms of a condition from being announced until a time',
    body: newSilence,
    response: created,
    status: 201,
  },
  'DELETE /v1/alarms/silences/{id}': { summary: 'End a silence before its time', params: byId },
} as const satisfies OperationTable
