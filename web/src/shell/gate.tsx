import type { ReactNode } from 'react'
import { Navigate, Outlet, useLocation } from 'react-router'
import { lastEnding, type Session, SessionProvider, useSessionState } from '../api/index.ts'
import { Failure } from './failure.tsx'
import { Layout } from './layout.tsx'
import { StepUpDialog } from './step-up-dialog.tsx'
import { Waiting } from './waiting.tsx'

interface GateProps {
  /** What is shown to a session that still lacks something. */
  readonly pending: (session: Session) => ReactNode
}

/** Lets nobody in who is not signed in or whose session still lacks something; they come back here afterwards. */
export function Gate({ pending }: GateProps) {
  const { data: session, error, refetch } = useSessionState()
  const { pathname, search } = useLocation()
  if (session === undefined) {
    return error === null ? <Waiting /> : <Failure error={error} onRetry={() => void refetch()} />
  }
  if (session === null) {
    if (lastEnding() === 'by_person') return <Navigate replace to="/sign-in?signed-out" />
    const ended = lastEnding() === 'by_server' ? '&ended' : ''
    return <Navigate replace to={`/sign-in?next=${encodeURIComponent(pathname + search)}${ended}`} />
  }
  const isPending = session.pending !== null
  return (
    <SessionProvider value={session}>
      <Layout bare={isPending}>
        {isPending ? pending(session) : <Outlet />}
        <StepUpDialog />
      </Layout>
    </SessionProvider>
  )
}
