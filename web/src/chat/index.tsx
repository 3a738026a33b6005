import './locales/index.ts'
import { lazy, Suspense } from 'react'
import { Route, Routes } from 'react-router'
import { NotFound } from '../shell/index.ts'
import { ChatProvider } from './client/context.tsx'
import { ChatFrame } from './parts/chat-frame.tsx'
import { RoomPage } from './parts/room-page.tsx'
import { Welcome } from './parts/welcome.tsx'

// What a conversation does not need comes when it is asked for.
const DirectoryPage = lazy(async () => ({
  default: (await import('./parts/directory-page.tsx')).DirectoryPage,
}))
const NotificationsPage = lazy(async () => ({
  default: (await import('./parts/notifications-page.tsx')).NotificationsPage,
}))
const SearchPage = lazy(async () => ({ default: (await import('./parts/search-page.tsx')).SearchPage }))

/** The chat, at /chat and below. */
export default function Chat() {
  return (
    <ChatProvider>
      <Routes>
        <Route element={<ChatFrame />}>
          <Route index element={<Welcome />} />
          <Route path="rooms/:roomId" element={<RoomPage />} />
          <Route
            path="directory"
            element={
              <Suspense>
                <DirectoryPage />
              </Suspense>
            }
          />
          <Route
            path="search"
            element={
              <Suspense>
                <SearchPage />
              </Suspense>
            }
          />
          <Route
            path="notifications"
            element={
              <Suspense>
                <NotificationsPage />
              </Suspense>
            }
          />
          <Route path="*" element={<NotFound />} />
        </Route>
      </Routes>
    </ChatProvider>
  )
}
