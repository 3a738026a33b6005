import type { Message, Room } from '@akashi/contract'
import { ActionIcon, Menu } from '@mantine/core'
import {
  IconCopy,
  IconCornerUpLeft,
  IconDots,
  IconInfoCircle,
  IconMessages,
  IconPencil,
  IconTrash,
} from '@tabler/icons-react'
import { Suspense, useState } from 'react'
import { lazily } from '../../shell/index.ts'
import { useChat } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'
import { EmojiPopover } from './emoji-popover.tsx'
import classes from './message-actions.module.css'
import { DeleteMessage, MessageDetails } from './message-dialogs.tsx'
import { react } from './reactions.tsx'

const KeepItems = lazily(async () => (await import('./keep-items.tsx')).KeepItems)

interface MessageActionsProps {
  readonly message: Message
  readonly room: Room
  readonly onReply: () => void
  /** Shows the conversation. */
  readonly onThread: () => void
  readonly onEdit: () => void
}

const QUICK_EMOJI = '👍'

/** The toolbar of a message. */
export function MessageActions({ message, room, onReply, onThread, onEdit }: MessageActionsProps) {
  const t = useTexts()
  const { me } = useChat()
  const [dialog, setDialog] = useState<'details' | 'delete' | null>(null)
  const mine = message.author?.id === me.id
  const mayDelete = mine || room.role === 'owner' || room.role === 'admin'
  const isNew = (emoji: string) =>
    !message.reactions.some((reaction) => reaction.emoji === emoji && reaction.userIds.includes(me.id))
  const button = { variant: 'subtle', color: 'gray', size: 'md' } as const
  return (
    <div className={classes['actions']} role="toolbar" aria-label={t('message.actions')}>
      {room.isActive && (
        <>
          <ActionIcon
            {...button}
            className={classes['quick'] ?? ''}
            aria-label={`${t('message.react')} ${QUICK_EMOJI}`}
            onClick={() => void react(message.id, QUICK_EMOJI, isNew(QUICK_EMOJI))}
          >
            <span aria-hidden>{QUICK_EMOJI}</span>
          </ActionIcon>
          <EmojiPopover
            label={t('message.react')}
            position="bottom-end"
            button={{ size: 'md' }}
            iconSize={18}
            onPick={(emoji) => void react(message.id, emoji, isNew(emoji))}
          />
          <ActionIcon {...button} aria-label={t('message.reply')} onClick={onReply}>
            <IconCornerUpLeft size={18} />
          </ActionIcon>
        </>
      )}
      <Menu position="bottom-end" withinPortal width={230}>
        <Menu.Target>
          <ActionIcon {...button} aria-label={t('message.more')}>
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {mine && room.isActive && (
            <Menu.Item leftSection={<IconPencil size={16} />} onClick={onEdit}>
              {t('message.edit')}
            </Menu.Item>
          )}
          <Menu.Item leftSection={<IconMessages size={16} />} onClick={onThread}>
            {t('message.thread')}
          </Menu.Item>
          <Suspense>
            <KeepItems message={message} room={room} />
          </Suspense>
          {message.content !== '' && (
            <Menu.Item
              leftSection={<IconCopy size={16} />}
              onClick={() => void navigator.clipboard.writeText(message.content).catch(() => undefined)}
            >
              {t('message.copy')}
            </Menu.Item>
          )}
          <Menu.Item leftSection={<IconInfoCircle size={16} />} onClick={() => setDialog('details')}>
            {t('message.details')}
          </Menu.Item>
          {mayDelete && room.isActive && (
            <Menu.Item leftSection={<IconTrash size={16} />} color="red" onClick={() => setDialog('delete')}>
              {t('message.delete')}
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      <MessageDetails message={message} opened={dialog === 'details'} onClose={() => setDialog(null)} />
      <DeleteMessage message={message} opened={dialog === 'delete'} onClose={() => setDialog(null)} />
    </div>
  )
}
