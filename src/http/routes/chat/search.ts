import { z } from 'zod'
import * as chat from '../../../chat/index.ts'
import { problemResponse } from '../../problem.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'

/** Search in the messages of the caller's rooms. */
export function searchRoute(app: App, { app: database }: Services): void {
  app.get(
    '/search',
    {
      schema: {
        summary: 'Messages of my rooms that hold every word, newest first',
        tags: ['chat'],
        querystring: chat.searchQuery,
        response: {
          200: z.object({ messages: z.array(chat.messageShape), next: z.guid().nullable() }),
          400: problemResponse,
          401: problemResponse,
        },
      },
    },
    async (request) => {
      const { messages, next } = await chat.searchMessages(database, request.actor, request.query)
      return { messages: [...messages], next }
    },
  )
}
