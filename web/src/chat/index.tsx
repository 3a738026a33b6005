import './locales/index.ts'
import { Route, Routes } from 'react-router'
import { ChatProvider } from './client/context.tsx'
import { ChatFrame } from './parts/chat-frame.tsx'
import { DirectoryPage } from './parts/directory-page.tsx'
import { NotificationsPage } from './parts/notifications-page.tsx'
import { RoomPage } from './parts/room-page.tsx'
import { SearchPage } from './parts/search-page.tsx'
import { Welcome } from './parts/welcome.tsx'

/** The chat, at /chat and below. */
export default function Chat() {
  return (
    <ChatProvider>
      <Routes>
        <Route element={<ChatFrame />}>
          <Route index element={<Welcome />} />
          <Route path="rooms/:roomId" element={<RoomPage />} />
          <Route path="directory" element={<DirectoryPage />} />
          <Route path="search" element={<SearchPage />} />
          <Route path="notifications" element={<NotificationsPage />} />
          <Route path="*" element={<Welcome />} />
        </Route>
      </Routes>
    </ChatProvider>
  )
}
