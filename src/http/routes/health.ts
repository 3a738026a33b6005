import { operation } from '../operation.ts'
import type { App } from '../schema.ts'

export function healthRoute(app: App, version: string): void {
  operation(app, 'GET /healthz', {
    access: { public: 'anybody' },
    handle: async () => ({ status: 'alive' as const, version }),
  })
}
