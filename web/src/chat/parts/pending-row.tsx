import { Button } from '@mantine/core'
import { IconPaperclip } from '@tabler/icons-react'
import { useChat, useObserved } from '../client/context.tsx'
import { clock } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import type { Pending } from '../model/outbox.ts'
import { Face } from './face.tsx'
import classes from './message-row.module.css'
import { Quote } from './message-row.tsx'
import { MessageText } from './message-text.tsx'

/** A message on its way. */
export function PendingRow({
  pending,
  continued,
}: {
  readonly pending: Pending
  readonly continued: boolean
}) {
  const t = useTexts()
  const chat = useChat()
  const link = useObserved(chat.link)
  const { clientId, message, state } = pending
  return (
    <article
      className={classes['row']}
      data-continued={continued}
      tabIndex={-1}
      aria-label={t('message.label', { name: chat.me.displayName, time: clock(pending.createdAt) })}
    >
      <div className={classes['side']}>{!continued && <Face person={chat.me} size={36} />}</div>
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
            <span>{t('message.failed', { reason: pending.problem ?? '' })}</span>
            <Button size="compact-xs" variant="light" onClick={() => chat.retry(clientId)}>
              {t('message.retry')}
            </Button>
            <Button size="compact-xs" variant="subtle" color="gray" onClick={() => chat.discard(clientId)}>
              {t('message.discard')}
            </Button>
          </div>
        ) : (
          <span className={classes['state']}>
            {t(link === 'open' ? 'message.sending' : 'message.waiting')}
          </span>
        )}
      </div>
    </article>
  )
}
