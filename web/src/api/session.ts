import type { ResponseOf } from '@akashi/contract'
import { QueryClient, queryOptions, useQuery } from '@tanstack/react-query'
import { createContext, useContext } from 'react'
import { isAttended } from './activity.ts'
import { call, onUnauthenticated } from './client.ts'
import { Problem } from './problem.ts'

export type Session = ResponseOf<'GET /v1/session'>

/** Milliseconds after which data that was read counts as stale. */
const STALE_AFTER_MS = 15_000
const MAX_RETRIES = 2

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: STALE_AFTER_MS,
      // A refused request would only be refused again.
      retry: (failures, error) =>
        failures < MAX_RETRIES && (!(error instanceof Problem) || error.status === 0),
      refetchOnReconnect: () => isAttended(),
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
      if (queryClient.getQueryData<Session | null>(['session'])) lastEnd = 'expired'
      return null
    }
  },
})

const SessionContext = createContext<Session | null>(null)

/** Wraps everything that needs a session; unmounts all of it when the session ends. */
export const SessionProvider = SessionContext.Provider

/** The current session; only for use below RequireSession. */
export function useSession(): Session {
  const session = useContext(SessionContext)
  if (session === null)
    throw new Problem({ code: 'unauthenticated', status: 401, detail: 'nobody is signed in' })
  return session
}

export function useSessionState() {
  return useQuery(sessionQuery)
}

/** Reads the session again, for example after signing in. */
export function refreshSession(): Promise<void> {
  return queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey })
}

/** How the last session in this tab ended; null when there was none. */
export type SessionEnd = 'signed_out' | 'expired' | null
let lastEnd: SessionEnd = null

export function lastSessionEnd(): SessionEnd {
  return lastEnd
}

/** The server no longer accepts the session: drops everything that was read with it. */
export function endSession(how: Exclude<SessionEnd, null> = 'expired'): void {
  // Several requests may learn it. What was read since, such as the ways to sign in, is not the session's.
  if (queryClient.getQueryData(sessionQuery.queryKey) === null) return
  lastEnd = how
  queryClient.setQueryData(sessionQuery.queryKey, null)
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionQuery.queryKey[0] })
}

export async function signOut(): Promise<void> {
  await call('DELETE /v1/session')
  endSession('signed_out')
}

onUnauthenticated(() => endSession())
