import type { Message } from '@akashi/contract'
import { Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { call } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { ConfirmDialog, Dialog } from '../../ui/index.ts'
import { useChat } from '../client/context.tsx'
import { nameOf } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import classes from './message-dialogs.module.css'
import { MessageText } from './message-text.tsx'

interface DialogProps {
  readonly message: Message
  readonly opened: boolean
  readonly onClose: () => void
}

export function MessageDetails({ message, opened, onClose }: DialogProps) {
  const t = useTexts()
  const { data: edits } = useQuery({
    queryKey: ['chat', 'edits', message.id, message.updatedAt],
    queryFn: async ({ signal }) =>
      (await call('GET /v1/chat/messages/{messageId}/edits', { params: { messageId: message.id }, signal }))
        .edits,
    enabled: opened && message.isEdited,
  })
  return (
    <Dialog opened={opened} onClose={onClose} title={t('message.details')}>
      <dl className={classes['facts']}>
        <dt>{t('message.sentAt')}</dt>
        <dd>
          {moment(message.createdAt)} · <bdi>{nameOf(t, message.author)}</bdi>
        </dd>
        <dt>{t('message.number')}</dt>
        <dd>{message.sequence}</dd>
        {message.isEdited && (
          <>
            <dt>{t('message.editedAt')}</dt>
            <dd>{moment(message.updatedAt)}</dd>
          </>
        )}
      </dl>
      {message.isEdited ? (
        <>
          <h3 className={classes['title']}>{t('message.earlier')}</h3>
          <ol className={classes['edits']}>
            {edits?.map(({ previousContent, editedAt }) => (
              <li key={editedAt}>
                <Text size="xs" c="dimmed">
                  {moment(editedAt)}
                </Text>
                <MessageText text={previousContent} mentions={[]} />
              </li>
            ))}
          </ol>
        </>
      ) : (
        <Text size="sm" c="dimmed">
          {t('message.notEdited')}
        </Text>
      )}
    </Dialog>
  )
}

export function DeleteMessage({ message, opened, onClose }: DialogProps) {
  const t = useTexts()
  const { me } = useChat()
  const isOthers = message.author?.id !== me.id
  return (
    <ConfirmDialog
      opened={opened}
      title={t('message.deleteTitle')}
      detail={[
        ...(isOthers ? [t('message.deleteOther', { name: nameOf(t, message.author) })] : []),
        t('message.deleteDetail'),
      ].join(' ')}
      action={t('message.delete')}
      onConfirm={() => call('DELETE /v1/chat/messages/{messageId}', { params: { messageId: message.id } })}
      onClose={onClose}
    />
  )
}
