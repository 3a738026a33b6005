import { Navigate, Route, Routes, useSearchParams } from 'react-router'
import { loadTexts as loadAccountTexts } from './account/locales/index.ts'
import { loadTexts } from './chat/locales/index.ts'
import { Layout, lazily, Main, NotFound, RequireSession } from './shell/index.ts'

const SignIn = lazily(async () => (await import('./sign-in/index.tsx')).SignIn)
const Pending = lazily(async () => (await import('./sign-in/pending.tsx')).Pending)
const Account = lazily(async () => {
  const [{ Account: Loaded }] = await Promise.all([import('./account/index.tsx'), loadAccountTexts()])
  return Loaded
})
const Chat = lazily(async () => {
  const [{ Chat: Loaded }] = await Promise.all([import('./chat/index.tsx'), loadTexts()])
  return Loaded
})

const EvidenceRoom = lazily(async () => (await import('./evidence-room/load.ts')).load())
const Console = lazily(async () => (await import('./console/load.ts')).load())

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
      <Route
        path="/evidence"
        element={
          <Layout bare>
            <EvidenceRoom />
          </Layout>
        }
      />
      <Route element={<RequireSession pending={(session) => <Pending session={session} />} />}>
        <Route path="/chat/*" element={<Chat />} />
        <Route path="/account/*" element={<Account />} />
        <Route path="/console/*" element={<Console />} />
        <Route
          path="*"
          element={
            <Main>
              <NotFound />
            </Main>
          }
        />
      </Route>
    </Routes>
  )
}

/** The start page; also where an identity provider sends browsers back to. */
function Start() {
  const [search] = useSearchParams()
  const step = search.get('sign-in')
  return <Navigate replace to={step === null ? '/chat' : `/sign-in?step=${encodeURIComponent(step)}`} />
}
