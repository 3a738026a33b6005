import type { App } from '../schema.ts'

/** Responses of this scope contain personal data and are not cached, unless their route says otherwise. */
export function forbidStoring(scope: App): void {
  scope.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
  })
}
