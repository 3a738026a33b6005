import { Route, Routes } from 'react-router'
import { lazily, NotFound } from '../shell/index.ts'
import { ChatProvider } from './client/context.tsx'
import { ChatFrame } from './parts/chat-frame.tsx'
import { RoomPage } from './parts/room-page.tsx'
import { Welcome } from './parts/welcome.tsx'

const DirectoryPage = lazily(async () => (await import('./parts/directory-page.tsx')).DirectoryPage)
const NotificationsPage = lazily(
  async () => (await import('./parts/notifications-page.tsx')).NotificationsPage,
)
const SavedPage = lazily(async () => (await import('./parts/saved-page.tsx')).SavedPage)
const SearchPage = lazily(async () => (await import('./parts/search-page.tsx')).SearchPage)

/** The chat, at /chat and below. */
export function Chat() {
  return (
    <ChatProvider>
      <Routes>
        <Route element={<ChatFrame />}>
          <Route index element={<Welcome />} />
          <Route path="rooms/:roomId" element={<RoomPage />} />
          <Route path="directory" element={<DirectoryPage />} />
          <Route path="search" element={<SearchPage />} />
          <Route path="saved" element={<SavedPage />} />
          <Route path="notifications" element={<NotificationsPage />} />
          <Route path="*" element={<NotFound />} />
        </Route>
      </Routes>
    </ChatProvider>
  )
}
