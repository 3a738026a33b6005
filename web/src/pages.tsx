import { lazy } from 'react'
import { Navigate, Route, Routes, useSearchParams } from 'react-router'
import { Gate, Layout, NotFound } from './shell/index.ts'

const SignIn = lazy(() => import('./sign-in/index.tsx'))
const Account = lazy(() => import('./account/index.tsx'))
const Chat = lazy(() => import('./chat/index.tsx'))

export function Pages() {
  return (
    <Routes>
      <Route path="/" element={<Start />} />
      <Route
        path="/sign-in"
        element={
          <Layout bare>
            <SignIn />
          </Layout>
        }
      />
      <Route element={<Gate />}>
        <Route path="/chat/*" element={<Chat />} />
        <Route path="/account/*" element={<Account />} />
        <Route path="*" element={<NotFound />} />
      </Route>
    </Routes>
  )
}

/** Where addresses without a path lead, and browsers that come back from a provider. */
function Start() {
  const [search] = useSearchParams()
  const step = search.get('sign-in')
  return <Navigate replace to={step === null ? '/chat' : `/sign-in?step=${encodeURIComponent(step)}`} />
}
