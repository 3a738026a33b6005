import type { BackupTask } from '@akashi/contract'
import { requireApproval } from '../../identity/index.ts'
import { jobHistory, recordRestorePoint, runNow } from '../../operations/index.ts'
import type { Actor } from '../../postgres/index.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** The scheduled job of each task. */
const jobs = {
  full: 'backup-full',
  incremental: 'backup-incremental',
  'audit-copy': 'backup-audit-copy',
  verification: 'backup-verify',
  prune: 'backup-prune',
  rewrap: 'backup-rewrap',
  drill: 'backup-drill',
  recovery_test: 'backup-recovery-test',
} as const satisfies Record<BackupTask, string>

/** Long tasks run in the workers: they are requested here, and their runs are listed below /backups/runs. */
export function backupWorkRoutes(app: App, services: Services): void {
  const { backups, securityAdmin } = services
  operation(app, 'GET /v1/backups/runs/{task}', {
    access: { permission: 'backup:read' },
    handle: async ({ params, query, actor }) => ({
      runs: (await jobHistory(securityAdmin, actor, jobs[params.task], query.limit)).map(
        ({ job: _, worker: __, ...shown }) => shown,
      ),
    }),
  })
  operation(app, 'GET /v1/backups/prune/plan', {
    access: { permission: 'backup:read' },
    handle: async ({ actor }, reply) => {
      const signal = callerSignal(reply)
      return backups.planPrune(await backups.open(actor, signal), actor, signal)
    },
  })
  operation(app, 'POST /v1/backups', {
    access: { permission: 'backup:write' },
    handle: async ({ body, actor }) => await ask(services, actor, body.kind),
  })
  operation(app, 'POST /v1/backups/verifications', {
    access: { permission: 'backup:write' },
    handle: async ({ actor }) => await ask(services, actor, 'verification'),
  })
  operation(app, 'POST /v1/backups/points', {
    access: { permission: 'backup:write' },
    handle: async ({ actor, body: { name } }, reply) => {
      const point = { name, lsn: await services.backups.point(name, callerSignal(reply)) }
      await recordRestorePoint(securityAdmin, actor, point)
      return point
    },
  })
  operation(app, 'POST /v1/drills', {
    access: { permission: 'backup:write' },
    handle: async ({ body, actor }) => await ask(services, actor, body?.kind ?? 'drill'),
  })
  operation(app, 'POST /v1/backups/prune', {
    access: { permission: 'backup:admin', stepUp: true },
    handle: async ({ actor }) => {
      await requireApproval(securityAdmin, actor, 'prune_backups')
      return await ask(services, actor, 'prune')
    },
  })
  operation(app, 'POST /v1/backups/rewrap', {
    access: { permission: 'backup:admin', stepUp: true },
    handle: async ({ actor }) => await ask(services, actor, 'rewrap'),
  })
}

async function ask({ securityAdmin }: Services, actor: Actor, task: BackupTask) {
  return { requestedAt: await runNow(securityAdmin, actor, jobs[task]), runs: `/v1/backups/runs/${task}` }
}
