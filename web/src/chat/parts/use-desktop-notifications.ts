import { useEffect } from 'react'
import { useNavigate } from 'react-router'
import { useChat } from '../client/context.tsx'
import { desktopIsOn } from '../client/desktop.ts'
import { nameOf, previewOf, roomName } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'

/** Shows a notification of the system for what the person is notified of, while they look elsewhere. */
export function useDesktopNotifications(): void {
  const t = useTexts()
  const chat = useChat()
  const navigate = useNavigate()
  useEffect(
    () =>
      chat.announced.listen(() => {
        const message = chat.announced.get()
        const room = message === null ? undefined : chat.rooms.get()?.get(message.roomId)
        if (message === null || room === undefined || !desktopIsOn() || document.hasFocus()) return
        const author = nameOf(t, message.author)
        const title =
          room.type === 'direct' ? author : t('messageBy', { name: roomName(t, room), text: author })
        // One notification a room: a newer message replaces the one before.
        const shown = new Notification(title, {
          body: previewOf(t, message),
          tag: room.id,
          icon: '/seal.svg',
        })
        shown.onclick = () => {
          window.focus()
          shown.close()
          void navigate(`/chat/rooms/${room.id}?message=${message.id}`)
        }
      }),
    [chat, navigate, t],
  )
}
