import type { Registry } from 'prom-client'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'

export function metricsRoute(app: App, registry: Registry): void {
  operation(app, 'GET /metrics', {
    access: { public: 'this machine', others: 'monitoring:read' },
    handle: async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  })
}
