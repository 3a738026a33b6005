import { type ReactNode, useEffect } from 'react'
import { Navigate, Outlet, useLocation } from 'react-router'
import {
  isAttended,
  lastSessionEnd,
  onReturn,
  refreshSession,
  type Session,
  SessionProvider,
  useSessionState,
} from '../api/index.ts'
import { ErrorPage } from './error-page.tsx'
import { Layout } from './layout.tsx'
import { fetchAhead } from './lazily.tsx'
import { PageLoader } from './page-loader.tsx'
import { useAccountPreferences } from './preferences.ts'
import { StepUpDialog } from './step-up-dialog.tsx'

interface RequireSessionProps {
  /** What to show for a session that still needs a new password or a second factor. */
  readonly pending: (session: Session) => ReactNode
}

/** Sends people who are not signed in to the sign-in page, which leads back here. */
export function RequireSession({ pending }: RequireSessionProps) {
  const { data: session, error, refetch } = useSessionState()
  const { pathname, search } = useLocation()
  const isComplete = session?.pending === null
  useEffect(watchSession, [])
  useEffect(() => {
    if (isComplete) fetchAhead()
  }, [isComplete])
  if (session === undefined) {
    return error === null ? <PageLoader /> : <ErrorPage error={error} onRetry={() => void refetch()} />
  }
  if (session === null) {
    if (lastSessionEnd() === 'signed_out') return <Navigate replace to="/sign-in?signed-out" />
    const ended = lastSessionEnd() === 'expired' ? '&ended' : ''
    return <Navigate replace to={`/sign-in?next=${encodeURIComponent(pathname + search)}${ended}`} />
  }
  return (
    <SessionProvider value={session}>
      <Layout bare={!isComplete}>
        {isComplete ? <Complete /> : pending(session)}
        <StepUpDialog />
      </Layout>
    </SessionProvider>
  )
}

/** The pages for users whose sign-in is complete. */
function Complete() {
  useAccountPreferences()
  return <Outlet />
}

/** Milliseconds between two checks of whether the session still holds. */
const CHECK_INTERVAL_MS = 60_000

/**
 * Checks the session while the page is used, which also keeps it alive for people who read or write
 * without other requests, and at once when they return.
 */
function watchSession(): () => void {
  const timer = setInterval(() => {
    if (isAttended()) void refreshSession()
  }, CHECK_INTERVAL_MS)
  const stop = onReturn(() => void refreshSession())
  return () => {
    clearInterval(timer)
    stop()
  }
}
