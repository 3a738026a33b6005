import type { ResponseOf } from '@akashi/contract'
import { QueryClient, queryOptions, useQuery } from '@tanstack/react-query'
import { createContext, useContext } from 'react'
import { call, onUnauthenticated } from './client.ts'
import { Problem } from './problem.ts'

export type Session = ResponseOf<'GET /v1/session'>

/** Milliseconds between two looks at whether the session still lives, while nothing else asks. */
const LOOK_MS = 60_000
/** Milliseconds for which what was read counts as new. */
const FRESH_MS = 15_000
const MAX_RETRIES = 2

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: FRESH_MS,
      // What the server refuses, it refuses again.
      retry: (failures, error) =>
        failures < MAX_RETRIES && (!(error instanceof Problem) || error.status === 0),
    },
  },
})

/** Who is signed in; null when nobody is. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      return await call('GET /v1/session', { signal })
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error
      if (queryClient.getQueryData<Session | null>(['session'])) ending = 'by_server'
      return null
    }
  },
  refetchInterval: LOOK_MS,
})

const SessionContext = createContext<Session | null>(null)

/** Around what is shown to somebody who is signed in: it goes as a whole when the session does. */
export const SessionProvider = SessionContext.Provider

/** The session of whoever is signed in; only below the gate, which shows nothing without one. */
export function useSession(): Session {
  const session = useContext(SessionContext)
  if (session === null)
    throw new Problem({ code: 'unauthenticated', status: 401, detail: 'nobody is signed in' })
  return session
}

export function useSessionState() {
  return useQuery(sessionQuery)
}

/** Reads the session again: after signing in, and after what renews it. */
export function refreshSession(): Promise<void> {
  return queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey })
}

/** How the last session of this page went: null where there was none. */
export type Ending = 'by_person' | 'by_server' | null
let ending: Ending = null

export function lastEnding(): Ending {
  return ending
}

/** The server no longer knows the session: whatever was read for it goes away with it. */
export function sessionEnded(how: Exclude<Ending, null> = 'by_server'): void {
  if (queryClient.getQueryData(sessionQuery.queryKey) !== null) ending = how
  queryClient.setQueryData(sessionQuery.queryKey, null)
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionQuery.queryKey[0] })
}

export async function signOut(): Promise<void> {
  await call('DELETE /v1/session')
  sessionEnded('by_person')
}

onUnauthenticated(() => sessionEnded())
