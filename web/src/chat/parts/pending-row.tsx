import { Button } from '@mantine/core'
import { IconPaperclip } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { codeText } from '../../ui/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { clock } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import type { Pending } from '../model/outbox.ts'
import classes from './message-row.module.css'
import { Quote } from './message-row.tsx'
import { MessageText } from './message-text.tsx'
import { PersonAvatar } from './person-avatar.tsx'

interface PendingRowProps {
  readonly pending: Pending
  readonly continued: boolean
}

/** A message that is being sent, or could not be sent. */
export function PendingRow({ pending, continued }: PendingRowProps) {
  const t = useTexts()
  const common = useTranslation().t
  const chat = useChat()
  const connection = useObserved(chat.connection)
  const { clientId, message, state, problem } = pending
  return (
    <article
      className={classes['row']}
      data-continued={continued}
      tabIndex={-1}
      aria-label={t('message.label', { name: chat.me.displayName, time: clock(pending.createdAt) })}
    >
      <div className={classes['side']}>{!continued && <PersonAvatar person={chat.me} size={36} />}</div>
      <div className={classes['body']}>
        {!continued && (
          <div className={classes['head']}>
            <bdi className={classes['author']}>{chat.me.displayName}</bdi>
            <time dateTime={pending.createdAt}>{clock(pending.createdAt)}</time>
          </div>
        )}
        {pending.replyTo !== null && <Quote quoted={pending.replyTo} />}
        <div className={state === 'failed' ? undefined : classes['pending']}>
          {message.content !== '' && <MessageText text={message.content} mentions={message.mentions ?? []} />}
          {pending.fileName !== null && (
            <span>
              <IconPaperclip size={15} aria-hidden /> <bdi>{pending.fileName}</bdi>
            </span>
          )}
        </div>
        {state === 'failed' ? (
          <div className={classes['failed']} role="alert">
            <span>{t('message.failed', { reason: codeText(common, problem ?? 'internal') })}</span>
            <Button size="compact-xs" variant="light" onClick={() => chat.retry(clientId)}>
              {t('message.retry')}
            </Button>
            <Button size="compact-xs" variant="subtle" color="gray" onClick={() => chat.discard(clientId)}>
              {t('message.discard')}
            </Button>
          </div>
        ) : (
          <span className={classes['state']}>
            {t(connection === 'open' ? 'message.sending' : 'message.waiting')}
          </span>
        )}
      </div>
    </article>
  )
}
