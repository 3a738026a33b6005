import { z } from 'zod'
import { jobHistory, runNow } from '../../operations/index.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import { route } from '../route.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { drillKind } from './backups.ts'

/** What the workers do with backups, and the job of the timetable that does it. */
const jobs = {
  full: 'backup-full',
  incremental: 'backup-incremental',
  'audit-copy': 'backup-audit-copy',
  verification: 'backup-verify',
  prune: 'backup-prune',
  rewrap: 'backup-rewrap',
  drill: 'backup-drill',
  recovery_test: 'backup-recovery-test',
} as const

type Work = keyof typeof jobs

const work = z.enum(Object.keys(jobs) as [Work, ...Work[]])

const MAX_RUNS = 50

const asked = z.object({
  requestedAt: z.string(),
  runs: z.string().describe('where the run is seen: the one that is due then, or that started later'),
})

const run = z.object({
  id: z.string(),
  dueAt: z.string(),
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
  state: z.enum(['running', 'done', 'failed', 'cancelled']),
  message: z.string().nullable(),
  result: z.record(z.string(), z.unknown()).readonly().nullable(),
})

/** What takes long is the workers': it is asked for here, answered with 202, and its run is seen below /backups/runs. */
export function backupWorkRoutes(app: App, services: Services): void {
  const { backups, trail } = services
  route(app, {
    method: 'GET',
    url: '/backups/runs/:work',
    access: { permission: 'backup:read' },
    schema: {
      summary: 'Runs of what the workers do with backups, newest first',
      tags: ['backup'],
      params: z.strictObject({ work }),
      querystring: z.strictObject({
        limit: z.coerce.number().int().min(1).max(MAX_RUNS).default(MAX_RUNS),
      }),
      response: { 200: z.object({ runs: z.array(run).readonly() }) },
    },
    handle: async ({ params, query }) => ({
      runs: (await jobHistory(trail, jobs[params.work], query.limit)).map(
        ({ job: _, worker: __, ...shown }) => shown,
      ),
    }),
  })
  route(app, {
    method: 'GET',
    url: '/backups/prune/plan',
    access: { permission: 'backup:read' },
    schema: {
      summary: 'What the retention no longer needs; removes nothing',
      tags: ['backup'],
      response: {
        200: z.object({ backups: z.array(z.string()).readonly(), objects: z.array(z.string()).readonly() }),
      },
    },
    handle: async (_, reply) => {
      const signal = callerSignal(reply)
      return backups.planPrune(await backups.vault(signal), signal)
    },
  })
  route(app, {
    method: 'POST',
    url: '/backups',
    access: { permission: 'backup:write' },
    schema: {
      summary: 'Ask the workers for a backup',
      tags: ['backup'],
      body: z.strictObject({ kind: z.enum(['full', 'incremental', 'audit-copy']) }),
      response: { 202: asked },
    },
    handle: async ({ body, actor }, reply) => reply.code(202).send(await ask(services, body.kind, actor)),
  })
  route(app, {
    method: 'POST',
    url: '/backups/verifications',
    access: { permission: 'backup:write' },
    schema: {
      summary: 'Ask the workers to read and check every object of the backups',
      tags: ['backup'],
      response: { 202: asked },
    },
    handle: async ({ actor }, reply) => reply.code(202).send(await ask(services, 'verification', actor)),
  })
  route(app, {
    method: 'POST',
    url: '/backups/points',
    access: { permission: 'backup:write' },
    schema: {
      summary: 'Name the present moment, to restore to it later',
      tags: ['backup'],
      body: z.strictObject({ name: z.string().min(1).max(63).describe('63 bytes at most') }),
      response: {
        201: z.object({ name: z.string(), lsn: z.string() }),
      },
    },
    handle: async ({ body: { name } }, reply) =>
      reply.code(201).send({ name, lsn: await services.backups.point(name, callerSignal(reply)) }),
  })
  route(app, {
    method: 'POST',
    url: '/drills',
    access: { permission: 'backup:write' },
    schema: {
      summary: 'Ask the workers for a recovery drill',
      tags: ['backup'],
      body: z
        .strictObject({
          kind: drillKind.default('drill').describe('to a random moment, or of everything to the latest'),
        })
        .nullish(),
      response: { 202: asked },
    },
    handle: async ({ body, actor }, reply) =>
      reply.code(202).send(await ask(services, body?.kind ?? 'drill', actor)),
  })
  route(app, {
    method: 'POST',
    url: '/backups/prune',
    access: { permission: 'backup:admin', stepUp: true },
    schema: {
      summary: 'Ask the workers to remove what the retention no longer needs',
      tags: ['backup'],
      response: { 202: asked },
    },
    handle: async ({ actor }, reply) => reply.code(202).send(await ask(services, 'prune', actor)),
  })
  route(app, {
    method: 'POST',
    url: '/backups/rewrap',
    access: { permission: 'backup:admin', stepUp: true },
    schema: {
      summary: 'Ask the workers to wrap the data keys for the present recipients, and only them',
      tags: ['backup'],
      response: { 202: asked },
    },
    handle: async ({ actor }, reply) => reply.code(202).send(await ask(services, 'rewrap', actor)),
  })
}

async function ask({ trail }: Services, what: Work, actor: Parameters<typeof runNow>[2]) {
  return { requestedAt: await runNow(trail, jobs[what], actor), runs: `/v1/backups/runs/${what}` }
}
