import { MAX_MESSAGE_CHARACTERS, type Message, type Room } from '@akashi/contract'
import { ActionIcon, Loader } from '@mantine/core'
import { IconSend2 } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { GrowingTextarea, SidePanel } from '../../ui/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { clockOrDay, nameOf } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { namesOf } from '../model/mentions.ts'
import { mentionedIn } from '../model/tokens.ts'
import { isComposing, sends } from './keys.ts'
import { MessageFile } from './message-file.tsx'
import { MessageText } from './message-text.tsx'
import { PersonAvatar } from './person-avatar.tsx'
import classes from './thread.module.css'

interface ThreadProps {
  readonly room: Room
  /** Any message of the conversation. */
  readonly messageId: string
  readonly onClose: () => void
}

/** The conversation of a message beside the room: its first message and all replies, with a field for the next. */
export function Thread({ room, messageId, onClose }: ThreadProps) {
  const t = useTexts()
  const common = useTranslation().t
  const chat = useChat()
  // Read again whenever something happened in the room.
  const sequence = useObserved(chat.rooms)?.get(room.id)?.lastSequence ?? 0
  const { data: messages, isError } = useQuery({
    queryKey: ['chat', 'thread', messageId, sequence],
    queryFn: async ({ signal }) =>
      (await call('GET /v1/chat/messages/{messageId}/thread', { params: { messageId }, signal })).messages,
    placeholderData: (before) => before,
  })
  const end = useRef<HTMLLIElement>(null)
  const count = messages?.length ?? 0
  useEffect(() => {
    if (count > 0) end.current?.scrollIntoView({ block: 'nearest' })
  }, [count])
  const first = messages?.[0]
  return (
    <SidePanel
      opened
      withOverlay={false}
      onClose={onClose}
      size={440}
      title={t('thread.title')}
      classNames={{ body: classes['body'] ?? '' }}
    >
      {isError ? (
        <p role="alert">{t('thread.failed')}</p>
      ) : messages === undefined ? (
        <Loader m="auto" aria-label={common('common.loading')} role="status" />
      ) : (
        <ol className={classes['messages']} aria-label={t('thread.title')}>
          {messages.map((message) => (
            <Entry key={message.id} message={message} />
          ))}
          <li ref={end} aria-hidden />
        </ol>
      )}
      {room.isActive && first !== undefined && <Reply room={room} first={first} />}
    </SidePanel>
  )
}

function Entry({ message }: { readonly message: Message }) {
  const t = useTexts()
  return (
    <li className={classes['message']}>
      <PersonAvatar person={message.author} size={32} />
      <div className={classes['texts']}>
        <p className={classes['head']}>
          <bdi className={classes['author']}>{nameOf(t, message.author)}</bdi>
          <time dateTime={message.createdAt} title={moment(message.createdAt)}>
            {clockOrDay(message.createdAt)}
          </time>
        </p>
        {message.isDeleted ? (
          <p className={classes['deleted']}>{t('deletedMessage')}</p>
        ) : (
          message.content !== '' && <MessageText text={message.content} mentions={message.mentions} />
        )}
        {message.type !== 'text' && !message.isDeleted && <MessageFile file={message.file} />}
      </div>
    </li>
  )
}

/** Replies to the first message. What is written and not sent is gone with the panel. */
function Reply({ room, first }: { readonly room: Room; readonly first: Message }) {
  const t = useTexts()
  const chat = useChat()
  const [text, setText] = useState('')
  const content = text.trim()
  const fits = content !== '' && [...content].length <= MAX_MESSAGE_CHARACTERS
  const send = () => {
    if (!fits) return
    const mentions = mentionedIn(content, namesOf(chat.people.get().values()))
    chat.send(room.id, { content, mentions, replyTo: first })
    setText('')
  }
  return (
    <form
      className={classes['reply']}
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <GrowingTextarea
        className={classes['field'] ?? ''}
        aria-label={t('thread.reply')}
        placeholder={t('thread.reply')}
        value={text}
        maxRows={6}
        data-autofocus
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (isComposing(event) || !sends(event)) return
          event.preventDefault()
          send()
        }}
      />
      <ActionIcon type="submit" size={36} variant="filled" aria-label={t('composer.send')} disabled={!fits}>
        <IconSend2 size={19} />
      </ActionIcon>
    </form>
  )
}
