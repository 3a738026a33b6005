import { z } from 'zod'
import * as chat from '../../../chat/index.ts'
import { route } from '../../route.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'

/** Search in the messages of the caller's rooms. */
export function searchRoute(app: App, { app: database }: Services): void {
  route(app, {
    method: 'GET',
    url: '/search',
    access: { signedIn: 'person', scope: 'any' },
    schema: {
      summary: 'Messages of my rooms that hold every word, newest first',
      tags: ['chat'],
      querystring: chat.searchQuery,
      response: {
        200: z.object({ messages: z.array(chat.messageShape), next: z.guid().nullable() }),
      },
    },
    handle: async (request) => {
      const { messages, next } = await chat.searchMessages(database, request.actor, request.query)
      return { messages: [...messages], next }
    },
  })
}
