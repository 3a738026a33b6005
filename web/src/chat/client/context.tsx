import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from 'react'
import { endSession, queryClient, type Session, useSession, whenAttended } from '../../api/index.ts'
import { ChatClient } from '../model/chat-client.ts'
import { Drafts } from '../model/drafts.ts'
import type { Observable } from '../model/observable.ts'
import type { TextStorage } from '../model/outbox.ts'
import { chatApi, openSocket } from './api.ts'
import { inboxKey, membersQuery, pinsQuery } from './queries.ts'
import { upload } from './upload.ts'

interface Chat {
  readonly client: ChatClient
  readonly drafts: Drafts
}

const Context = createContext<Chat | null>(null)

/** Milliseconds after which a user with the page in the background is shown as away. */
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
  readonly session: Session
  readonly children: ReactNode
}

function Connected({ session, children }: ConnectedProps) {
  const [chat] = useState((): Chat => ({ client: connect(session), drafts: draftsOf(session.userId) }))
  useEffect(() => {
    chat.client.start()
    const stop = watchWindow(chat.client)
    return () => {
      stop()
      chat.client.stop()
    }
  }, [chat])
  return <Context value={chat}>{children}</Context>
}

function connect({ userId, username, displayName }: Session): ChatClient {
  const invalidate = (queryKey: readonly unknown[]) => void queryClient.invalidateQueries({ queryKey })
  return new ChatClient({
    me: { id: userId, username, displayName, avatarUrl: null },
    api: chatApi,
    openSocket,
    storage: tabStorage(`akashi.outbox.${userId}`),
    isOnline: () => navigator.onLine,
    onEnded: endSession,
    onInboxChanged: () => invalidate(inboxKey),
    onMembersChanged: (roomId) => {
      invalidate(membersQuery(roomId).queryKey)
      invalidate(pinsQuery(roomId).queryKey)
    },
    inBackground: whenAttended,
  })
}

let kept: { readonly userId: string; readonly drafts: Drafts } | null = null

/** The drafts of one person. They outlive the chat's pages, and are visible only to that person. */
function draftsOf(userId: string): Drafts {
  if (kept?.userId === userId) return kept.drafts
  kept?.drafts.close()
  kept = { userId, drafts: new Drafts({ storage: tabStorage(`akashi.drafts.${userId}`), upload }) }
  return kept.drafts
}

function watchWindow(client: ChatClient): () => void {
  let away: ReturnType<typeof setTimeout> | undefined
  const back = () => client.networkBack()
  const lost = () => client.networkLost()
  const changed = () => {
    clearTimeout(away)
    if (document.visibilityState === 'visible') {
      client.networkBack()
      client.present('online')
    } else away = setTimeout(() => client.present('away'), AWAY_MS)
  }
  window.addEventListener('online', back)
  window.addEventListener('offline', lost)
  document.addEventListener('visibilitychange', changed)
  return () => {
    clearTimeout(away)
    window.removeEventListener('online', back)
    window.removeEventListener('offline', lost)
    document.removeEventListener('visibilitychange', changed)
  }
}

function tabStorage(key: string): TextStorage {
  return {
    read: () => sessionStorage.getItem(key),
    write(text) {
      try {
        if (text === '' || text === '[]') sessionStorage.removeItem(key)
        else sessionStorage.setItem(key, text)
      } catch {
        // The storage is full: what is written stays in memory.
      }
    },
  }
}

function useContextValue(): Chat {
  const chat = useContext(Context)
  if (chat === null) throw new Error('the chat is used outside of its provider')
  return chat
}

export function useChat(): ChatClient {
  return useContextValue().client
}

export function useDrafts(): Drafts {
  return useContextValue().drafts
}

/** The current value; renders again when it is replaced. */
export function useObserved<Value>(observable: Observable<Value>): Value {
  return useSyncExternalStore(observable.listen, observable.get)
}

/** A part of the current value; renders again only when that part is replaced. */
export function useSelected<Value, Part>(
  observable: Observable<Value>,
  select: (value: Value) => Part,
): Part {
  return useSyncExternalStore(observable.listen, () => select(observable.get()))
}
