/** The timetable of the workers: `/v1/jobs`. */
import { z } from 'zod'
import { list, reason, time } from './fields.ts'
import { MAX_RUNS_LISTED } from './limits.ts'
import type { OperationTable } from './operation.ts'

export const jobRun = z.object({
  id: z.string(),
  dueAt: time.describe('when it was scheduled or requested'),
  startedAt: time,
  finishedAt: time.nullable(),
  state: z.enum(['running', 'done', 'failed', 'cancelled']),
  message: z.string().nullable(),
  result: z.record(z.string(), z.unknown()).readonly().nullable(),
  progress: z
    .record(z.string(), z.unknown())
    .readonly()
    .nullable()
    .describe('the latest progress of a run, such as its phase'),
})

const job = z.object({
  name: z.string(),
  description: z.string(),
  schedule: z.string().describe('five fields of cron'),
  zone: z.string().describe('time zone of the schedule: UTC, or that of the organisation'),
  paused: z.boolean(),
  timeoutSeconds: z.number(),
  requestedAt: time.nullable().describe('when an immediate run was last requested'),
  nextAt: time.nullable().describe('null while it is paused, or if it is not due within a year'),
  owed: z.boolean().describe('a scheduled run was missed and has not been made up for yet'),
  lastRun: jobRun.nullable(),
})

const byJob = z.strictObject({ job: z.string().regex(/^[a-z][a-z0-9-]{0,99}$/) })
export const runsListed = z.strictObject({
  limit: z.coerce.number<number>().int().min(1).max(MAX_RUNS_LISTED).default(MAX_RUNS_LISTED),
})

export const jobOperations = {
  'GET /v1/jobs': {
    summary: 'Every job of the workers with its latest and next run',
    response: z.object({ jobs: list(job) }),
  },
  'PATCH /v1/jobs/{job}': {
    summary: 'Pause or resume a job',
    params: byJob,
    body: z.strictObject({ paused: z.boolean(), reason }),
  },
  'GET /v1/jobs/{job}/runs': {
    summary: 'Runs of a job, newest first',
    params: byJob,
    query: runsListed,
    response: z.object({ runs: list(jobRun) }),
  },
  'POST /v1/jobs/{job}/runs': {
    summary: 'Request that a worker run a job now',
    params: byJob,
    body: z.strictObject({ reason }),
    response: z.object({ requestedAt: time, runs: z.string().describe('where the run is listed') }),
    status: 202,
  },
} as const satisfies OperationTable
