import { closeCodes, MAX_FRAME_BYTES } from '@akashi/contract'
import websocket from '@fastify/websocket'
import { presenceToAnnounce, validSessions } from '../../chat/index.ts'
import { person, system } from '../../postgres/index.ts'
import { sessionOf } from '../plugins/authentication.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { Connection } from './connection.ts'
import { MAX_SOCKETS, PRESENCE_ROUND_MS, REAUTHORISE_MS } from './limits.ts'
import { socketPresence } from './presence.ts'

const presenceJob = system('chat-presence')
const sessionsJob = system('chat-sessions')

/**
 * GET /v1/chat/socket. Browsers send cookies with a WebSocket from any page, so its Origin must be this server's;
 * a client without an Origin is not a browser. Sessions are checked again while their sockets are open.
 */
export function chatSocket(v1: App, services: Services): void {
  const { app: database, worker, chat, log } = services
  const connections = new Set<Connection>()

  const stopListening = chat.bus.listen((message) => {
    if (message.about === 'person') {
      for (const connection of connections) {
        if (connection.userId === message.userId && connection.id !== message.except)
          connection.send({ type: 'inbox' })
      }
    }
    if (message.about === 'presence') changed.add(message.userId)
  })

  /** People whose presence may have changed since the last round. */
  const changed = new Set<string>()
  /** The status last sent of each person. */
  const lastSent = new Map<string, string>()

  const presence = socketPresence(worker, chat.bus)

  const stopPresence = repeat(
    PRESENCE_ROUND_MS,
    async () => {
      await presence.flush()
      if (changed.size === 0) return
      const people = [...changed]
      changed.clear()
      for (const { userId, status, roomIds } of await presenceToAnnounce(worker, presenceJob, people)) {
        if (lastSent.get(userId) === status) continue
        lastSent.set(userId, status)
        for (const connection of listening(roomIds)) connection.send({ type: 'presence', userId, status })
      }
    },
    (error) => log.warn({ error }, 'presence could not be announced'),
  )

  /** Connections subscribed to any of the rooms. */
  function listening(roomIds: readonly string[]): Set<Connection> {
    return new Set([...connections].filter((each) => roomIds.some((roomId) => each.listensTo(roomId))))
  }

  const stopSessionChecks = repeat(
    REAUTHORISE_MS,
    async () => {
      if (connections.size === 0) return
      const checked = [...connections]
      const valid = await validSessions(worker, sessionsJob, [
        ...new Set(checked.map(({ sessionId }) => sessionId)),
      ])
      for (const connection of checked) {
        if (!valid.has(connection.sessionId))
          connection.close(closeCodes.sessionEnded, 'the session has ended')
      }
    },
    (error) => log.warn({ error }, 'the sessions of sockets could not be checked'),
  )

  v1.register(websocket, { options: { maxPayload: MAX_FRAME_BYTES } })
  v1.register((socketApp, _, done) => {
    // A refused upgrade leaves a connection that the HTTP server no longer tracks and would not close.
    socketApp.addHook('onResponse', async (request) => void request.raw.socket.destroySoon())
    socketApp.get(
      '/chat/socket',
      {
        websocket: true,
        schema: { summary: 'Events of my rooms in real time (WebSocket)', tags: ['chat'], hide: true },
        // A session can be checked again while its socket is open; a key or token cannot.
        config: { access: { permission: 'rooms:read', by: 'session' } },
      },
      (socket, request) => {
        const { actor: caller } = sessionOf(request)
        const others = [...connections].filter(({ userId }) => userId === caller.userId)
        if (others.length >= MAX_SOCKETS) {
          socket.close(closeCodes.tooMany, 'too many sockets of one person are open')
          return
        }
        const actor = person(caller, { ...caller.origin, apiEndpoint: 'WS /v1/chat/socket' })
        const connection = new Connection({
          socket,
          actor,
          app: database,
          feed: chat.feed,
          bus: chat.bus,
          secrets: services.roomSecrets,
          scansFiles: services.scansFiles,
          log,
          onPresence: () => presence.setByClient(actor.sessionId),
        })
        connections.add(connection)
        const { sessionId } = connection
        presence.opened(sessionId)
        socket.on('close', () => {
          connections.delete(connection)
          presence.closed(sessionId)
        })
      },
    )
    done()
  })
  v1.addHook('onClose', async () => {
    stopListening()
    await stopPresence()
    await presence.flush().catch((error: unknown) => log.warn({ error }, 'presence was not saved'))
    await stopSessionChecks()
  })
}

/** Runs `work` repeatedly, one call at a time, also after failures. Returns a function that stops it. */
function repeat(
  pauseMs: number,
  work: () => Promise<void>,
  onFailure: (error: unknown) => void,
): () => Promise<void> {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const next = () => {
    if (stopped) return
    timer = setTimeout(() => {
      running = work().catch(onFailure).finally(next)
    }, pauseMs)
  }
  next()
  return async () => {
    stopped = true
    clearTimeout(timer)
    await running
  }
}
