import type { Registry } from 'prom-client'
import type { App } from '../schema.ts'

export function metricsRoute(app: App, registry: Registry): void {
  app.get(
    '/metrics',
    { schema: { summary: 'Metrics in the text format of Prometheus', tags: ['operations'] } },
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  )
}
