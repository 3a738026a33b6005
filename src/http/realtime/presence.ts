/** Derives the presence of sessions from their sockets opening and closing. */
import { type Bus, socketsChanged } from '../../chat/index.ts'
import { type Database, system } from '../../postgres/index.ts'

const presence = system('chat-presence')

export interface SocketPresence {
  opened(sessionId: string): void
  closed(sessionId: string): void
  /** The client set its presence itself, which takes precedence over the opening. */
  setByClient(sessionId: string): void
  /** Writes the changes since the last time in one statement; if that fails, they are written the next time. */
  flush(): Promise<void>
}

export function socketPresence(worker: Database, bus: Bus): SocketPresence {
  /** Number of open sockets of each session. */
  const sockets = new Map<string, number>()
  const opened = new Set<string>()
  /** Sessions whose last socket closed, and when it did. */
  const closed = new Map<string, number>()

  function requeue(came: readonly string[], went: ReadonlyMap<string, number>, now: number): void {
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
    setByClient: (sessionId) => void opened.delete(sessionId),
    async flush() {
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
        requeue(came, went, now)
        throw error
      }
      // A session that closed during the write closed after it.
      for (const sessionId of came) {
        if (closed.has(sessionId)) closed.set(sessionId, performance.now())
      }
    },
  }
}
