/** Whether the server works, what it has recorded, and how far that is sealed and verified. */
import { z } from 'zod'
import { list, time } from './fields.ts'
import type { OperationTable } from './operation.ts'
import { alarmSeverities, severities } from './vocabulary.ts'

/** A decimal, since it may be above 2^53. */
const large = z.string().regex(/^\d+$/)
const count = z.int().nonnegative()

const logStatus = z.object({
  log: z.string(),
  epoch: z.int().positive().describe('increases when the log continues after a restore'),
  size: large.describe('sealed entries'),
  root: z.string().describe('root hash of the tree of that size, base64'),
  sealedAt: time.nullable().describe('time of the last checkpoint; null when nothing is sealed'),
  pending: count.describe('committed rows not sealed yet'),
})

export const systemStatus = z.object({
  events: large.describe('security events recorded'),
  auditRows: large.describe('rows of the audit trail'),
  protectedTables: list(z.string()).describe('schema.table of every protected table'),
  logs: list(logStatus),
  lastVerification: z
    .object({ at: time, ok: z.boolean(), problems: count.describe('rows or checkpoints found wrong') })
    .nullable(),
  oldestUncheckedSeconds: z
    .number()
    .nonnegative()
    .describe('seconds since the least recently checked part of the ledger was checked'),
  ownsObjectStore: z
    .boolean()
    .describe('false: another installation owns the object store, and this one only reads it'),
  backups: z
    .object({
      keptWalBytes: z
        .number()
        .nonnegative()
        .nullable()
        .describe('WAL that the server keeps for the stream; null: none is kept'),
      slotState: z.enum(['reserved', 'extended', 'unreserved', 'lost', 'none']),
      streaming: z.boolean(),
      ageSeconds: z.number().nonnegative().nullable().describe('since the newest backup'),
      lagSeconds: z
        .number()
        .nonnegative()
        .nullable()
        .describe('since the latest moment that can be restored, as of the last check of the object store'),
    })
    .describe('whether WAL reaches the object store'),
  disk: z
    .object({ freeBytes: z.number().nonnegative(), totalBytes: z.number().nonnegative() })
    .nullable()
    .describe('of the embedded server; null where the server runs elsewhere'),
  frontierHeldSeconds: z
    .number()
    .nonnegative()
    .describe('seconds for which an open transaction has kept rows from being sealed'),
  leaderLocksHeld: count.describe('sessions of other logins that hold a leader lock'),
  witnessConflicts: count.describe('trusted witnesses that cosigned a different history, by log'),
  retentionShortenings: count.describe('shorter retentions of logs that are not in effect yet'),
  crosscheck: z
    .object({
      state: z.enum(['running', 'stopped', 'off']),
      lagBytes: z
        .number()
        .nonnegative()
        .nullable()
        .describe('WAL that is written but not yet compared with the trail'),
      discrepancies: count.describe('unsettled'),
      gaps: count.describe('unsettled ranges that were not compared'),
    })
    .describe('the comparison of the trail with the write-ahead log'),
  detection: z
    .object({
      open: list(z.object({ severity: z.enum(severities), findings: count })),
      overdue: count.describe('open findings past their due date'),
      unseen: list(z.object({ log: z.string(), rows: count })).describe(
        'sealed rows after the last one that the worker has recorded as evaluated',
      ),
    })
    .describe('findings and what was evaluated'),
  losses: count.describe('statements whose changes were not recorded and are not settled'),
  partitions: list(
    z.object({
      table: z.string(),
      coveredUntil: time.nullable().describe('end of the last partition; null when it has no end'),
      alarm: z.boolean().describe('fewer partitions ahead than the policy requires'),
    }),
  ),
  drills: z.object({
    passedSeconds: z.number().nonnegative().describe('seconds since a recovery drill passed'),
    alarm: z.boolean().describe('no drill for too long, or the last one failed'),
  }),
  alarms: list(
    z.object({
      condition: z.string(),
      severity: z.enum(alarmSeverities),
      subject: z.string(),
      silenced: z.boolean(),
    }),
  ).describe('that are open'),
  alarmsLookedAt: time.nullable().describe('when a worker last checked the conditions of alarms'),
  checkedAt: time.describe('when this was read'),
})
export type SystemStatus = z.output<typeof systemStatus>

export const systemOperations = {
  'GET /healthz': {
    summary: 'Liveness: whether the process responds',
    response: z.object({ status: z.literal('alive'), version: z.string() }),
  },
  'GET /readyz': {
    summary: 'Readiness: whether all dependencies can be reached',
    response: z.object({
      status: z.literal('ready'),
      checks: list(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
    }),
  },
  'GET /metrics': { summary: 'Metrics in the text format of Prometheus', response: z.unknown() },
  'GET /v1/status': {
    summary: 'Counts of recorded rows, the state of sealing, and the result of the last verification',
    response: systemStatus,
  },
} as const satisfies OperationTable
