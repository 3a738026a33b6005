import websocket from '@fastify/websocket'
import { presenceToSpread, sessionsThatHold } from '../../chat/index.ts'
import { AkashiError, type Log } from '../../foundation/index.ts'
import { isSameOrigin } from '../plugins/same-origin.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { Connection } from './connection.ts'
import { closeCodes, MAX_FRAME_BYTES, REAUTHORISE_MS } from './limits.ts'

/**
 * GET /v1/chat/socket. Browsers send cookies with a WebSocket from any page, so its Origin must be this
 * server; without an Origin it is no browser. Sessions are asked about again while their sockets live.
 */
export function chatSocket(v1: App, services: Services): void {
  const { app: database, worker, chat, log } = services
  const connections = new Set<Connection>()

  const silence = chat.bus.listen((word) => {
    if (word.about === 'person') {
      for (const connection of connections) {
        if (connection.userId === word.userId) connection.send({ type: 'inbox' })
      }
    }
    if (word.about === 'presence') void spread(word.userId)
  })

  async function spread(userId: string): Promise<void> {
    try {
      const { status, roomIds } = await presenceToSpread(worker, userId)
      for (const connection of connections) {
        if (roomIds.some((roomId) => connection.listensTo(roomId))) {
          connection.send({ type: 'presence', userId, status })
        }
      }
    } catch (error) {
      log.warn({ error }, 'a presence could not be spread')
    }
  }

  const stopAsking = everySoOften(log, async () => {
    const bySession = [...connections].filter(({ sessionId }) => sessionId !== undefined)
    if (bySession.length === 0) return
    const holding = await sessionsThatHold(worker, [
      ...new Set(bySession.map(({ sessionId }) => sessionId ?? '')),
    ])
    for (const connection of bySession) {
      if (!holding.has(connection.sessionId ?? ''))
        connection.close(closeCodes.sessionEnded, 'the session has ended')
    }
  })

  v1.register(websocket, { options: { maxPayload: MAX_FRAME_BYTES } })
  v1.register((socketApp, _, done) => {
    // A refused upgrade leaves a connection that HTTP no longer keeps account of: it would outlive the server.
    socketApp.addHook('onResponse', async (request) => void request.raw.socket.destroySoon())
    socketApp.get(
      '/chat/socket',
      {
        websocket: true,
        schema: { hide: true },
        preHandler: async (request) => {
          if (!isSameOrigin(request, services.identity.publicUrl)) {
            throw new AkashiError('forbidden', 'the socket is for pages of this server', {
              hint: 'a program connects without an Origin',
            })
          }
          if (request.actor.userId === undefined) {
            throw new AkashiError('unauthenticated', 'chat is for users who are signed in', {
              hint: 'sign in first',
            })
          }
        },
      },
      (socket, request) => {
        const { userId } = request.actor
        if (userId === undefined) return socket.close(closeCodes.sessionEnded)
        const actor = { ...request.actor, userId, apiEndpoint: 'WS /v1/chat/socket' }
        const connection = new Connection({
          socket,
          actor,
          app: database,
          feed: chat.feed,
          bus: chat.bus,
          log,
        })
        connections.add(connection)
        void connection
          .present('online')
          .catch((error: unknown) => log.warn({ error }, 'presence was not kept'))
        socket.on('close', () => {
          connections.delete(connection)
          const elsewhere = [...connections].some(({ sessionId }) => sessionId === connection.sessionId)
          if (!elsewhere) {
            connection
              .present('offline')
              .catch((error: unknown) => log.warn({ error }, 'presence was not kept'))
          }
        })
      },
    )
    done()
  })
  v1.addHook('onClose', async () => {
    silence()
    await stopAsking()
  })
}

/** One call at a time; a failure is told and tried again. */
function everySoOften(log: Log, work: () => Promise<void>): () => Promise<void> {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const next = () => {
    if (stopped) return
    timer = setTimeout(() => {
      running = work()
        .catch((error: unknown) => log.warn({ error }, 'sessions of sockets could not be checked'))
        .finally(next)
    }, REAUTHORISE_MS)
  }
  next()
  return async () => {
    stopped = true
    clearTimeout(timer)
    await running
  }
}
