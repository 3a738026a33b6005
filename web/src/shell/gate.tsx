import { lazy } from 'react'
import { Navigate, Outlet, useLocation } from 'react-router'
import { lastEnding, useSessionState } from '../api/index.ts'
import { Failure } from './failure.tsx'
import { Layout } from './layout.tsx'
import { StepUpDialog } from './step-up-dialog.tsx'
import { Waiting } from './waiting.tsx'

const Pending = lazy(() => import('../sign-in/pending.tsx'))

/** Lets nobody in who is not signed in or whose session still lacks something; they come back here afterwards. */
export function Gate() {
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
  if (session.pending !== null) {
    return (
      <Layout bare>
        <Pending session={session} />
        <StepUpDialog />
      </Layout>
    )
  }
  return (
    <Layout>
      <Outlet />
      <StepUpDialog />
    </Layout>
  )
}
