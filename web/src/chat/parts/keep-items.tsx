import type { Message, Room } from '@akashi/contract'
import { Menu } from '@mantine/core'
import { IconBookmark, IconLink, IconMailOpened, IconPin, IconPinnedOff } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from 'react-router'
import { call } from '../../api/index.ts'
import { showMessage, showProblem } from '../../ui/index.ts'
import { useChat } from '../client/context.tsx'
import { pinsQuery, savedKey } from '../client/queries.ts'
import { useTexts } from '../locales/index.ts'

/** Menu items for pinning and saving a message; mounted while the menu is open. */
export function KeepItems({ message, room }: { readonly message: Message; readonly room: Room }) {
  const t = useTexts()
  const chat = useChat()
  const navigate = useNavigate()
  const queries = useQueryClient()
  const { data: pins } = useQuery(pinsQuery(room.id))
  const isPinned = pins?.some(({ id }) => id === message.id) ?? false
  const params = { messageId: message.id }
  const act = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      showProblem(error)
    }
  }
  const pin = () =>
    act(async () => {
      await call(`${isPinned ? 'DELETE' : 'PUT'} /v1/chat/messages/{messageId}/pin`, { params })
      await queries.invalidateQueries({ queryKey: pinsQuery(room.id).queryKey })
    })
  const save = () =>
    act(async () => {
      await call('PUT /v1/chat/messages/{messageId}/saved', { params })
      await queries.invalidateQueries({ queryKey: savedKey })
      showMessage(t('message.saved'))
    })
  const copyLink = () =>
    act(async () => {
      await navigator.clipboard.writeText(`${location.origin}/chat/rooms/${room.id}?message=${message.id}`)
      showMessage(t('message.linkCopied'))
    })
  // Leaves the room, which would be read again at once.
  const unread = () =>
    act(async () => {
      await call('POST /v1/chat/messages/{messageId}/unread', { params })
      await navigate('/chat')
      await chat.refresh()
    })
  return (
    <>
      {room.isActive && (
        <Menu.Item
          leftSection={isPinned ? <IconPinnedOff size={16} /> : <IconPin size={16} />}
          onClick={() => void pin()}
        >
          {t(isPinned ? 'message.unpin' : 'message.pin')}
        </Menu.Item>
      )}
      <Menu.Item leftSection={<IconBookmark size={16} />} onClick={() => void save()}>
        {t('message.save')}
      </Menu.Item>
      <Menu.Item leftSection={<IconMailOpened size={16} />} onClick={() => void unread()}>
        {t('message.unread')}
      </Menu.Item>
      <Menu.Item leftSection={<IconLink size={16} />} onClick={() => void copyLink()}>
        {t('message.copyLink')}
      </Menu.Item>
    </>
  )
}
