import type { FastifyRequest } from 'fastify'
import { AkashiError } from '../../../foundation/index.ts'
import type { App } from '../../schema.ts'

/** Chat is for people: whoever has no user of their own, an operator's key included, is refused. */
export function requireUser(app: App): void {
  app.addHook('preHandler', async (request: FastifyRequest) => {
    if (request.actor.userId === undefined) {
      throw new AkashiError('unauthenticated', 'chat is for users who are signed in', {
        hint: 'sign in first',
      })
    }
  })
}
