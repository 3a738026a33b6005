import { Histogram, type Registry } from 'prom-client'
import type { App } from '../schema.ts'

const NAME = 'akashi_http_request_duration_seconds'
const MS_PER_S = 1_000
const BUCKETS_S = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Measures the duration of every request by method, route pattern and status, and logs it. */
export function observeRequests(app: App, registry: Registry): void {
  // A registry outlives an app and accepts each name only once.
  registry.removeSingleMetric(NAME)
  const duration = new Histogram({
    name: NAME,
    help: 'seconds from the arrival of a request to the end of its response',
    labelNames: ['method', 'route', 'status'],
    buckets: BUCKETS_S,
    registers: [registry],
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? '(no route)'
    const status = reply.statusCode
    duration.observe({ method: request.method, route, status }, reply.elapsedTime / MS_PER_S)
    request.log.debug({ method: request.method, route, status, ms: reply.elapsedTime }, 'answered')
  })
}
