import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from 'react'
import { sessionEnded, useSession } from '../../api/index.ts'
import { ChatClient } from '../model/chat-client.ts'
import type { Observable } from '../model/observable.ts'
import type { Keep } from '../model/outbox.ts'
import { chatApi, openSocket } from './api.ts'

const Context = createContext<ChatClient | null>(null)

/** Milliseconds after which somebody who looks elsewhere is away. */
const AWAY_MS = 120_000

export function ChatProvider({ children }: { readonly children: ReactNode }) {
  const session = useSession()
  return (
    <Connected key={session.sessionId} session={session}>
      {children}
    </Connected>
  )
}

interface ConnectedProps {
  readonly session: ReturnType<typeof useSession>
  readonly children: ReactNode
}

function Connected({ session, children }: ConnectedProps) {
  const [client] = useState(
    () =>
      new ChatClient({
        me: {
          id: session.userId,
          username: session.username,
          displayName: session.displayName,
          avatarUrl: null,
        },
        api: chatApi,
        openSocket,
        keep: tabStorage(`akashi.outbox.${session.userId}`),
        isOnline: () => navigator.onLine,
        onEnded: sessionEnded,
      }),
  )
  useEffect(() => {
    client.start()
    const stop = watchWindow(client)
    return () => {
      stop()
      client.stop()
    }
  }, [client])
  return <Context value={client}>{children}</Context>
}

function watchWindow(client: ChatClient): () => void {
  let away: ReturnType<typeof setTimeout> | undefined
  const back = () => client.networkBack()
  const lost = () => client.networkLost()
  const seen = () => {
    clearTimeout(away)
    if (document.visibilityState === 'visible') {
      client.networkBack()
      client.present('online')
    } else away = setTimeout(() => client.present('away'), AWAY_MS)
  }
  window.addEventListener('online', back)
  window.addEventListener('offline', lost)
  document.addEventListener('visibilitychange', seen)
  return () => {
    clearTimeout(away)
    window.removeEventListener('online', back)
    window.removeEventListener('offline', lost)
    document.removeEventListener('visibilitychange', seen)
  }
}

function tabStorage(key: string): Keep {
  return {
    read: () => sessionStorage.getItem(key),
    write: (text) => (text === '[]' ? sessionStorage.removeItem(key) : sessionStorage.setItem(key, text)),
  }
}

export function useChat(): ChatClient {
  const client = useContext(Context)
  if (client === null) throw new Error('the chat is used outside of its provider')
  return client
}

/** The value now, and every one after. */
export function useObserved<Value>(observable: Observable<Value>): Value {
  return useSyncExternalStore(observable.listen, observable.get)
}
