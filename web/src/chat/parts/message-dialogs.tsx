import type { Message } from '@akashi/contract'
import { Button, Group, Modal, Stack, Text } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { call } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { tellProblem } from '../../ui/index.ts'
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
  const common = useTranslation().t
  const { data: edits } = useQuery({
    queryKey: ['chat', 'edits', message.id, message.updatedAt],
    queryFn: async ({ signal }) =>
      (await call('GET /v1/chat/messages/{messageId}/edits', { params: { messageId: message.id }, signal }))
        .edits,
    enabled: opened && message.isEdited,
  })
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={t('message.details')}
      closeButtonProps={{ 'aria-label': common('common.close') }}
    >
      <dl className={classes['facts']}>
        <dt>{t('message.sentAt')}</dt>
        <dd>
          {moment(message.createdAt)}, <bdi>{nameOf(t, message.author)}</bdi>
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
    </Modal>
  )
}

export function DeleteMessage({ message, opened, onClose }: DialogProps) {
  const t = useTexts()
  const common = useTranslation().t
  const { me } = useChat()
  const remove = useMutation({
    mutationFn: () => call('DELETE /v1/chat/messages/{messageId}', { params: { messageId: message.id } }),
    onSuccess: onClose,
    onError: tellProblem,
  })
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={t('message.deleteTitle')}
      closeButtonProps={{ 'aria-label': common('common.close') }}
    >
      <Stack>
        <Text size="sm">
          {message.author?.id !== me.id &&
            `${t('message.deleteOther', { name: nameOf(t, message.author) })} `}
          {t('message.deleteDetail')}
        </Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            {common('common.cancel')}
          </Button>
          <Button color="red" loading={remove.isPending} onClick={() => remove.mutate()}>
            {t('message.delete')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
