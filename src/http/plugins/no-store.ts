import type { App } from '../schema.ts'

/** What a response of this scope says about somebody is kept by no cache, unless its route says otherwise. */
export function forbidStoring(scope: App): void {
  scope.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
  })
}
