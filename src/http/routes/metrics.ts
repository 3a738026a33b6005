import type { Registry } from 'prom-client'
import { route } from '../route.ts'
import type { App } from '../schema.ts'

export function metricsRoute(app: App, registry: Registry): void {
  route(app, {
    method: 'GET',
    url: '/metrics',
    access: { public: 'anybody' },
    schema: { summary: 'Metrics in the text format of Prometheus', tags: ['operations'] },
    handle: async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  })
}
