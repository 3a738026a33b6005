import { z } from 'zod'
import { route } from '../route.ts'
import type { App } from '../schema.ts'

const health = z.object({ status: z.literal('alive'), version: z.string() })

export function healthRoute(app: App, version: string): void {
  route(app, {
    method: 'GET',
    url: '/healthz',
    access: { public: 'anybody' },
    schema: { summary: 'Whether the process answers', tags: ['operations'], response: { 200: health } },
    handle: async () => ({ status: 'alive' as const, version }),
  })
}
