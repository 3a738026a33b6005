/**
 * Tells every node that something happened, never what: whoever hears it reads the database under the
 * rights of the person it is for. A word that gets lost is made up for by looking, see feed.ts.
 */
import { EventEmitter } from 'node:events'

export type Word =
  /** `sequence`: what happened has this number; whoever has read it knows already. */
  | { readonly about: 'room'; readonly roomId: string; readonly sequence?: number }
  /** Invitations, direct rooms, notifications and read positions of one person; `except` is the socket that knows. */
  | { readonly about: 'person'; readonly userId: string; readonly except?: string }
  | { readonly about: 'presence'; readonly userId: string }

export interface Bus {
  /** Never fails and waits for nothing: the change is committed already. */
  announce(word: Word): void
  /** Answers how to stop listening. */
  listen(listener: (word: Word) => void): () => void
  close(): Promise<void>
}

/** For one process that is alone. */
export function localBus(): Bus {
  const emitter = new EventEmitter()
  emitter.setMaxListeners(0)
  return {
    announce: (word) => void emitter.emit('word', word),
    listen: (listener) => {
      emitter.on('word', listener)
      return () => void emitter.off('word', listener)
    },
    close: async () => void emitter.removeAllListeners(),
  }
}
