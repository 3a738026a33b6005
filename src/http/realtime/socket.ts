import { closeCodes, MAX_FRAME_BYTES } from '@akashi/contract'
import websocket from '@fastify/websocket'
import { presenceToSpread, sessionsThatHold } from '../../chat/index.ts'
import { person, system } from '../../postgres/index.ts'
import { sessionOf } from '../plugins/authentication.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { Connection } from './connection.ts'
import { PRESENCE_ROUND_MS, REAUTHORISE_MS } from './limits.ts'
import { socketPresence } from './presence.ts'

const spreading = system('chat-presence')
const asking = system('chat-sessions')

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
        if (connection.userId === word.userId && connection.id !== word.except)
          connection.send({ type: 'inbox' })
      }
    }
    if (word.about === 'presence') changed.add(word.userId)
  })

  /** People whose presence may have changed since the last round. */
  const changed = new Set<string>()
  /** What was told last of each. */
  const told = new Map<string, string>()

  const presence = socketPresence(worker, chat.bus)

  const stopSpreading = everySoOften(
    PRESENCE_ROUND_MS,
    async () => {
      await presence.keep()
      if (changed.size === 0) return
      const people = [...changed]
      changed.clear()
      for (const { userId, status, roomIds } of await presenceToSpread(worker, spreading, people)) {
        if (told.get(userId) === status) continue
        told.set(userId, status)
        for (const connection of listening(roomIds)) connection.send({ type: 'presence', userId, status })
      }
    },
    (error) => log.warn({ error }, 'presence could not be spread'),
  )

  /** Connections that listen to any of the rooms. */
  function listening(roomIds: readonly string[]): Set<Connection> {
    return new Set([...connections].filter((each) => roomIds.some((roomId) => each.listensTo(roomId))))
  }

  const stopAsking = everySoOften(
    REAUTHORISE_MS,
    async () => {
      if (connections.size === 0) return
      const asked = [...connections]
      const holding = await sessionsThatHold(worker, asking, [
        ...new Set(asked.map(({ sessionId }) => sessionId)),
      ])
      for (const connection of asked) {
        if (!holding.has(connection.sessionId))
          connection.close(closeCodes.sessionEnded, 'the session has ended')
      }
    },
    (error) => log.warn({ error }, 'sessions of sockets could not be checked'),
  )

  v1.register(websocket, { options: { maxPayload: MAX_FRAME_BYTES } })
  v1.register((socketApp, _, done) => {
    // A refused upgrade leaves a connection that HTTP no longer keeps account of: it would outlive the server.
    socketApp.addHook('onResponse', async (request) => void request.raw.socket.destroySoon())
    socketApp.get(
      '/chat/socket',
      {
        websocket: true,
        schema: { summary: 'What happens in my rooms, as it happens', tags: ['chat'], hide: true },
        // A session can end while its socket lives, and is asked about; a key or a token could not be.
        config: { access: { signedIn: 'person', scope: 'none' } },
      },
      (socket, request) => {
        const { actor: caller } = sessionOf(request)
        const actor = person(caller, { ...caller.origin, apiEndpoint: 'WS /v1/chat/socket' })
        const connection = new Connection({
          socket,
          actor,
          app: database,
          feed: chat.feed,
          bus: chat.bus,
          scansFiles: services.scansFiles,
          log,
          // What the client says itself comes after its socket opened.
          onPresence: () => presence.said(actor.sessionId),
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
    silence()
    await stopSpreading()
    await presence.keep().catch((error: unknown) => log.warn({ error }, 'presence was not kept'))
    await stopAsking()
  })
}

/** One call at a time; a failure is told and tried again. Answers how to stop. */
function everySoOften(
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
