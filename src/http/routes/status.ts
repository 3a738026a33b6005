import { callerSignal } from '../plugins/caller-signal.ts'
import { route } from '../route.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { threadState } from '../thread-state.ts'

export function statusRoute(app: App, services: Services): void {
  route(app, {
    method: 'GET',
    url: '/status',
    access: { public: 'this machine' },
    schema: {
      summary: 'What is recorded, how far it is sealed, and what the last verification said',
      tags: ['thread'],
      response: { 200: threadState },
    },
    handle: async (_request, reply) => {
      reply.header('cache-control', 'no-store')
      return services.threadState(callerSignal(reply))
    },
  })
}
