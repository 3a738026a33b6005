import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** The checks of `akashi doctor`, as this server sees them. */
export function doctorRoute(app: App, { diagnose }: Services): void {
  operation(app, 'GET /v1/doctor', {
    access: { permission: 'monitoring:read' },
    budget: { requests: 6, seconds: 60 },
    handle: ({ actor }, reply) => diagnose(actor, callerSignal(reply)),
  })
}
