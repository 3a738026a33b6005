import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

export function statusRoute(app: App, services: Services): void {
  operation(app, 'GET /v1/status', {
    access: { public: 'this machine', others: 'ledger:read' },
    handle: async ({ actor }, reply) => {
      return services.systemStatus(actor, callerSignal(reply))
    },
  })
}
