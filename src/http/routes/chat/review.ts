import * as chat from '../../../chat/index.ts'
import { operation } from '../../operation.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'

/** Rooms of others, read with a reason. */
export function reviewRoutes(app: App, { securityAdmin }: Services): void {
  operation(app, 'POST /v1/chat/rooms/{roomId}/review', {
    access: { permission: 'messages:admin', stepUp: true, reason: true, reads: 'akashi_chat.messages' },
    handle: async ({ actor, params, body }) => ({
      messages: await chat.reviewRoom(securityAdmin, actor, { ...params, ...body }),
    }),
  })
  operation(app, 'POST /v1/chat/messages/{messageId}/review', {
    access: { permission: 'messages:admin', stepUp: true, reason: true, reads: 'akashi_chat.messages' },
    handle: async ({ actor, params, body }) => ({
      texts: await chat.reviewMessage(securityAdmin, actor, params.messageId, body.reason),
    }),
  })
}
