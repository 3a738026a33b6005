import type { Message, Person, Room } from '@akashi/contract'
import { memo, type ReactNode } from 'react'
import { moment } from '../../i18n/when.ts'
import { useChat, useDrafts, useSelected } from '../client/context.tsx'
import { clock, nameOf, previewOf } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { concerns } from '../model/rooms.ts'
import { MessageActions } from './message-actions.tsx'
import { MessageEditor } from './message-editor.tsx'
import { MessageFile } from './message-file.tsx'
import classes from './message-row.module.css'
import { MessageText } from './message-text.tsx'
import { PersonAvatar } from './person-avatar.tsx'
import { PersonCard } from './person-card.tsx'
import { Reactions } from './reactions.tsx'

interface MessageRowProps {
  readonly rowKey: string
  readonly message: Message
  readonly room: Room
  readonly continued: boolean
  /** The pointer or the focus is on it, so that its actions are shown. */
  readonly active: boolean
  readonly marked: boolean
  readonly onActive: (key: string | null) => void
  readonly onJump: (messageId: string) => void
  readonly onThread: (messageId: string) => void
}

export const MessageRow = memo(function MessageRow(props: MessageRowProps) {
  const { rowKey, message, room, continued, active, marked, onActive, onJump, onThread } = props
  const t = useTexts()
  const { me } = useChat()
  const drafts = useDrafts()
  const edited = useSelected(drafts.rooms, (all) => all.get(room.id)?.edits[message.id])
  const editing = edited !== undefined && !message.isDeleted && room.isActive
  const author = nameOf(t, message.author)
  return (
    <article
      className={classes['row']}
      data-continued={continued}
      data-active={active}
      data-marked={marked}
      data-for-me={concerns(message, me.id)}
      data-message={message.id}
      tabIndex={-1}
      aria-label={t('message.label', { name: author, time: clock(message.createdAt) })}
      onMouseEnter={() => onActive(rowKey)}
      onFocus={() => onActive(rowKey)}
    >
      <div className={classes['side']}>
        {continued ? (
          <time className={classes['quietTime']} dateTime={message.createdAt}>
            {clock(message.createdAt)}
          </time>
        ) : (
          <Author person={message.author}>
            <PersonAvatar person={message.author} size={36} />
          </Author>
        )}
      </div>
      <div className={classes['body']}>
        {!continued && (
          <div className={classes['head']}>
            <bdi className={classes['author']}>{author}</bdi>
            <time dateTime={message.createdAt} title={moment(message.createdAt)}>
              {clock(message.createdAt)}
            </time>
          </div>
        )}
        {message.replyTo !== null && <Quote quoted={message.replyTo} onJump={onJump} />}
        {editing ? (
          <MessageEditor message={message} text={edited} />
        ) : message.isDeleted ? (
          <p className={classes['deleted']}>{t('deletedMessage')}</p>
        ) : message.unreadable !== null ? (
          <p className={classes['deleted']}>{t(`unreadable.${message.unreadable}`)}</p>
        ) : (
          message.content !== '' && <MessageText text={message.content} mentions={message.mentions} />
        )}
        {message.type !== 'text' && !message.isDeleted && <MessageFile file={message.file} />}
        {message.isEdited && !message.isDeleted && !editing && (
          <span className={classes['edited']}>{t('message.edited')}</span>
        )}
        {message.reactions.length > 0 && <Reactions message={message} />}
      </div>
      {active && !editing && !message.isDeleted && (
        <MessageActions
          message={message}
          room={room}
          onReply={() => drafts.replyTo(room.id, message)}
          onThread={() => onThread(message.id)}
          onEdit={() => drafts.edit(room.id, message.id, message.content)}
        />
      )}
    </article>
  )
})

/** Opens the card of the author of a message, unless they were erased. */
function Author({ person, children }: { readonly person: Person | null; readonly children: ReactNode }) {
  return person === null ? children : <PersonCard person={person}>{children}</PersonCard>
}

interface QuoteProps {
  readonly quoted: NonNullable<Message['replyTo']>
  readonly onJump?: (messageId: string) => void
}

export function Quote({ quoted, onJump }: QuoteProps) {
  const t = useTexts()
  const name = nameOf(t, quoted.author)
  const content = (
    <>
      <bdi className={classes['quotedAuthor']}>{name}</bdi>
      <bdi className={classes['quotedText']}>{previewOf(t, quoted)}</bdi>
    </>
  )
  return onJump === undefined ? (
    <div className={classes['quote']}>{content}</div>
  ) : (
    <button
      type="button"
      className={classes['quote']}
      title={t('message.replyTo', { name })}
      onClick={() => onJump(quoted.id)}
    >
      {content}
    </button>
  )
}
