import type { Message } from '@akashi/contract'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { moment } from '../../i18n/when.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { clockOrDay, nameOf, roomName } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { MessageText } from './message-text.tsx'
import classes from './pages.module.css'
import { PersonAvatar } from './person-avatar.tsx'

interface MessageEntryProps {
  readonly message: Message
  /** Words to mark. */
  readonly words?: readonly string[]
  /** False where the room is known. */
  readonly showsRoom?: boolean
  readonly onOpen?: () => void
  /** Buttons, shown at the end. */
  readonly children?: ReactNode
}

/** A message in a list, with a link to its place in the room. */
export function MessageEntry({ message, words, showsRoom = true, onOpen, children }: MessageEntryProps) {
  const t = useTexts()
  const room = useObserved(useChat().rooms)?.get(message.roomId)
  const name = nameOf(t, message.author)
  return (
    <li className={classes['found']}>
      <PersonAvatar person={message.author} size={34} />
      <div className={classes['texts']}>
        <p className={classes['line']}>
          <bdi className={classes['strong']}>{name}</bdi>
          {showsRoom && room !== undefined && <bdi>{roomName(t, room)}</bdi>}
          <Link
            to={`/chat/rooms/${message.roomId}?message=${message.id}`}
            className={classes['cover']}
            aria-label={t('searchPage.jump', { name, time: moment(message.createdAt) })}
            {...(onOpen === undefined ? {} : { onClick: onOpen })}
          >
            {clockOrDay(message.createdAt)}
          </Link>
        </p>
        <MessageText text={message.content} mentions={[]} {...(words === undefined ? {} : { words })} />
        {message.file !== null && <bdi className={classes['count']}>{message.file.name}</bdi>}
      </div>
      {children !== undefined && <div className={classes['above']}>{children}</div>}
    </li>
  )
}
