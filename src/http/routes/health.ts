import { z } from 'zod'
import type { App } from '../schema.ts'

const health = z.object({ status: z.literal('alive'), version: z.string() })

export function healthRoute(app: App, version: string): void {
  app.get(
    '/healthz',
    { schema: { summary: 'Whether the process answers', tags: ['operations'], response: { 200: health } } },
    async () => ({ status: 'alive' as const, version }),
  )
}
