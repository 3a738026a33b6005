/**
 * Backups, restores of one table, and recovery drills: `/v1/backups`, `/v1/restores`, `/v1/drills`. What takes long
 * is requested and runs in the workers; its runs are listed below `/v1/backups/runs`.
 */
import { z } from 'zod'
import { byId, cursor, list, next, pageSize, time } from './fields.ts'
import { jobRun, runsListed } from './jobs.ts'
import type { OperationTable } from './operation.ts'
import { backupTasks } from './vocabulary.ts'

const requested = z.object({
  requestedAt: time,
  runs: z.string().describe('where the run is listed: the one that is due then, or that started later'),
})

const point = z
  .string()
  .max(100)
  .describe('latest, a time (2026-11-21T05:20:00Z), a WAL position, a transaction id or a restore point')

const interval = z.object({ from: z.string().nullable(), to: z.string().nullable() })

const backup = z.looseObject({
  id: z.string(),
  kind: z.enum(['full', 'incremental']),
  parent: z.string().nullable(),
  timeline: z.number(),
  startLsn: z.string(),
  endLsn: z.string(),
  startedAt: time,
  stoppedAt: time,
  bytes: z.number(),
  stored: z.number(),
  objects: z.number(),
})

const auditCopy = z.object({
  id: z.string(),
  tiers: list(z.enum(['near', 'cold'])),
  manifest: z
    .looseObject({
      takenAt: time,
      logs: z.array(z.looseObject({ log: z.string(), from: z.string(), to: z.string(), rows: z.number() })),
      parts: z.number(),
      bytes: z.number(),
    })
    .nullable(),
  problem: z.string().nullable(),
})

const drillKind = z.enum(['drill', 'recovery_test'])

const drill = z.object({
  id: z.string(),
  kind: drillKind,
  startedAt: time,
  finishedAt: time,
  ok: z.boolean(),
  target: z.string().nullable(),
  rpoSeconds: z.number().nullable(),
  rtoSeconds: z.number().nullable(),
  phases: list(z.object({ phase: z.string(), seconds: z.number() })),
  problems: list(z.string()),
  object: z.string().describe('key of the signed report in the object store'),
  note: z.string().describe('the signed report'),
})

const columns = z.record(z.string(), z.unknown()).readonly()
const difference = z.object({
  missing: z.number(),
  changed: z.number(),
  added: z.number(),
  rows: list(
    z.object({
      kind: z.enum(['missing', 'changed', 'added']),
      key: columns,
      before: columns.nullable(),
      now: columns.nullable(),
    }),
  ),
  uncompared: list(z.string()),
})

const restored = z.object({
  table: z.string(),
  into: z.string().nullable(),
  target: z.string(),
  reachedTime: z.string().nullable(),
  reachedLsn: z.string(),
  rows: z.number(),
  bytes: z.number(),
  walBytes: z.number(),
  chain: list(z.string()),
  difference: difference.nullable(),
  applied: z.object({ inserted: z.number(), updated: z.number() }).nullable(),
  foreignKeys: list(z.string()),
  sequences: list(z.object({ column: z.string(), last: z.string().nullable() })),
  notes: list(z.string()),
})

const restoreRun = z.object({
  id: z.string(),
  table: z.string(),
  target: z.string(),
  into: z.string().nullable(),
  diff: z.boolean(),
  applies: z.boolean(),
  reason: z.string().nullable(),
  requestedBy: z.string(),
  startedAt: time,
  finishedAt: time.nullable(),
  state: z.enum(['running', 'done', 'failed', 'cancelled']),
  cancelRequested: z.boolean(),
  phase: z.string().describe('current phase: fetch, recover, copy …'),
  message: z.string().nullable().describe('why it failed'),
})

export const backupOperations = {
  'GET /v1/backups': {
    summary: 'Backups in the store, and the restorable periods',
    response: z.object({
      cluster: z.string(),
      backups: list(backup),
      timeline: z.number().nullable(),
      restorable: interval,
      intervals: list(interval),
      incomplete: list(z.string()),
      problems: list(z.object({ object: z.string(), detail: z.string() })),
    }),
  },
  'POST /v1/backups': {
    summary: 'Request a backup',
    body: z.strictObject({ kind: z.enum(['full', 'incremental', 'audit-copy']) }),
    response: requested,
    status: 202,
  },
  'GET /v1/backups/audit-copies': {
    summary: 'Long-term copies of the audit log',
    response: z.object({ copies: list(auditCopy) }),
  },
  'GET /v1/backups/runs/{task}': {
    summary: 'Runs of a background task, newest first',
    params: z.strictObject({ task: z.enum(backupTasks) }),
    query: runsListed,
    response: z.object({ runs: list(jobRun) }),
  },
  'POST /v1/backups/verifications': {
    summary: 'Request a verification of all backup objects',
    response: requested,
    status: 202,
  },
  'GET /v1/backups/points': {
    summary: 'Named restore points, newest first',
    response: z.object({
      points: list(z.object({ name: z.string(), lsn: z.string(), createdAt: time, createdBy: z.string() })),
    }),
  },
  'POST /v1/backups/points': {
    summary: 'Create a named restore point',
    body: z.strictObject({ name: z.string().min(1).max(63).describe('at most 63 bytes') }),
    response: z.object({ name: z.string(), lsn: z.string() }),
    status: 201,
  },
  'GET /v1/backups/prune/plan': {
    summary: 'Backups past their retention, which prune would delete',
    response: z.object({ backups: list(z.string()), objects: list(z.string()) }),
  },
  'POST /v1/backups/prune': {
    summary: 'Request the deletion of backups past their retention',
    response: requested,
    status: 202,
  },
  'POST /v1/backups/rewrap': {
    summary: 'Request that the data keys be re-encrypted for the current recipients',
    response: requested,
    status: 202,
  },
  'GET /v1/restores/plan': {
    summary: 'The backups that a restore to a given time would use',
    query: z.strictObject({ at: point.default('latest') }),
    response: z.object({
      target: z.string(),
      timeline: z.number(),
      chain: list(z.string()),
      bytes: z.number(),
      walBytes: z.number(),
    }),
  },
  'POST /v1/restores': {
    summary: 'Begin to restore one table: into a new table, compared with the current one, or applied to it',
    body: z.strictObject({
      table: z.string().max(200).describe('schema.table'),
      at: point,
      into: z.string().max(200).optional().describe('new table; existing tables are never overwritten'),
      diff: z.boolean().default(false),
      apply: z
        .strictObject({ reason: z.string().min(1).max(1_000) })
        .optional()
        .describe('write missing and changed rows back'),
    }),
    response: z.object({ id: z.string() }),
    status: 202,
  },
  'GET /v1/restores': {
    summary: 'Restores of one table that were requested, newest first',
    query: z.strictObject({ cursor, limit: pageSize }),
    response: z.object({ rows: list(restoreRun), next }),
  },
  'GET /v1/restores/{id}': {
    summary: 'One restore, with its progress and result',
    params: byId,
    response: restoreRun.extend({ result: restored.nullable() }),
  },
  'DELETE /v1/restores/{id}': {
    summary: 'Cancel a running restore; what it has done is rolled back',
    params: byId,
    status: 202,
    response: z.object({ id: z.string() }),
  },
  'GET /v1/drills': {
    summary: 'Recovery drills, newest first, with their signed reports',
    response: z.object({ drills: list(drill) }),
  },
  'POST /v1/drills': {
    summary: 'Request a recovery drill',
    body: z
      .strictObject({
        kind: drillKind
          .default('drill')
          .describe('drill: to a random moment; recovery_test: to the latest moment'),
      })
      .nullish(),
    response: requested,
    status: 202,
  },
} as const satisfies OperationTable
