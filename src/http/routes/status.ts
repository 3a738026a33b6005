import { problemResponse } from '../problem.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { threadState } from '../thread-state.ts'

export function statusRoute(app: App, services: Services): void {
  app.get(
    '/status',
    {
      config: { openOnLoopback: true },
      schema: {
        summary: 'What is recorded, how far it is sealed, and what the last verification said',
        tags: ['thread'],
        security: [{}, { session: [] }, { bearer: [] }],
        response: { 200: threadState, 401: problemResponse },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store')
      return services.threadState(request.signal)
    },
  )
}
