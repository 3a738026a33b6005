import { PROBLEM_TYPE } from '@akashi/contract'
import { errorCatalogue } from '../../foundation/index.ts'
import type { HttpLimits } from '../limits.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import { problem } from '../problem.ts'
import type { App } from '../schema.ts'
import type { DependencyState, Services } from '../services.ts'

export function readinessRoute(app: App, services: Services, limits: HttpLimits): void {
  operation(app, 'GET /readyz', {
    access: { public: 'this machine', others: 'monitoring:read' },
    handle: async (request, reply) => {
      const signal = AbortSignal.any([callerSignal(reply), AbortSignal.timeout(limits.readinessTimeoutMs)])
      const checks = await runChecks(services, signal)
      const missing = checks.filter((check) => !check.ok).map((check) => check.name)
      if (missing.length === 0) {
        return { status: 'ready' as const, checks }
      }
      request.log.warn({ checks }, 'not ready')
      return reply
        .code(errorCatalogue.unavailable.status)
        .type(PROBLEM_TYPE)
        .send(
          problem('unavailable', request.id, {
            detail: `not ready: ${missing.join(', ')}`,
            extra: { checks },
          }),
        )
    },
  })
}

async function runChecks(services: Services, signal: AbortSignal): Promise<readonly DependencyState[]> {
  const late = new Promise<readonly DependencyState[]>((resolve) => {
    signal.addEventListener('abort', () => {
      resolve([{ name: 'readiness', ok: false, detail: 'the checks did not finish in time' }])
    })
  })
  return Promise.race([services.readiness(signal), late])
}
