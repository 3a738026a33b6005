/** What sockets that open and close say of the presence of their sessions. */
import { type Bus, socketsChanged } from '../../chat/index.ts'
import { type Database, system } from '../../postgres/index.ts'

const presence = system('chat-presence')

export interface SocketPresence {
  opened(sessionId: string): void
  closed(sessionId: string): void
  /** The client itself said how present it is, which holds. */
  said(sessionId: string): void
  /** Writes what changed since the last time, as one statement for all; what fails is written the next time. */
  keep(): Promise<void>
}

export function socketPresence(worker: Database, bus: Bus): SocketPresence {
  /** Sockets of a session. */
  const sockets = new Map<string, number>()
  const opened = new Set<string>()
  /** Sessions whose last socket closed, and when it did. */
  const closed = new Map<string, number>()

  function again(came: readonly string[], went: ReadonlyMap<string, number>, now: number): void {
    for (const sessionId of came) {
      if (sockets.has(sessionId)) opened.add(sessionId)
    }
    for (const [sessionId, ms] of went) {
      if (!sockets.has(sessionId) && !closed.has(sessionId)) closed.set(sessionId, now - ms)
    }
  }

  return {
    opened(sessionId) {
      sockets.set(sessionId, (sockets.get(sessionId) ?? 0) + 1)
      opened.add(sessionId)
      closed.delete(sessionId)
    },
    closed(sessionId) {
      const others = (sockets.get(sessionId) ?? 1) - 1
      if (others > 0) {
        sockets.set(sessionId, others)
        return
      }
      sockets.delete(sessionId)
      opened.delete(sessionId)
      closed.set(sessionId, performance.now())
    },
    said: (sessionId) => void opened.delete(sessionId),
    async keep() {
      if (opened.size + closed.size === 0) return
      const now = performance.now()
      const came = [...opened]
      const went = new Map([...closed].map(([sessionId, at]) => [sessionId, Math.ceil(now - at)]))
      opened.clear()
      closed.clear()
      try {
        const changed = await socketsChanged(worker, presence, came, went)
        for (const userId of changed) bus.announce({ about: 'presence', userId })
      } catch (error) {
        again(came, went, now)
        throw error
      }
      // Whoever closed while that was written closed after it, and not before.
      for (const sessionId of came) {
        if (closed.has(sessionId)) closed.set(sessionId, performance.now())
      }
    },
  }
}
