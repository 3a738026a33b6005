/**
 * Notifies every server that something changed, but not what: the receiver reads the database with the privileges
 * of the person concerned. Polling makes up for lost messages, see feed.ts.
 */
import { EventEmitter } from 'node:events'

export type BusMessage =
  /** `sequence` of the event, so that those who have it already can ignore the message. */
  | { readonly about: 'room'; readonly roomId: string; readonly sequence?: number }
  /** Invitations, direct rooms, notifications or read positions of a person changed; `except` is the socket that did it. */
  | { readonly about: 'person'; readonly userId: string; readonly except?: string }
  | { readonly about: 'presence'; readonly userId: string }

export interface Bus {
  /** Never fails or waits, since the change is already committed. */
  announce(message: BusMessage): void
  /** Returns a function that stops listening. */
  listen(listener: (message: BusMessage) => void): () => void
  close(): Promise<void>
}

/** For a single process. */
export function localBus(): Bus {
  const emitter = new EventEmitter()
  emitter.setMaxListeners(0)
  return {
    announce: (message) => void emitter.emit('message', message),
    listen: (listener) => {
      emitter.on('message', listener)
      return () => void emitter.off('message', listener)
    },
    close: async () => void emitter.removeAllListeners(),
  }
}
