import { MAX_MESSAGE_CHARACTERS, type Message } from '@akashi/contract'
import { Button, Group } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { call } from '../../api/index.ts'
import { GrowingTextarea, showProblem } from '../../ui/index.ts'
import { useChat, useDrafts } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'
import { namesOf } from '../model/mentions.ts'
import { mentionedWithGroups } from '../model/tokens.ts'
import { isComposing, sends } from './keys.ts'

interface MessageEditorProps {
  readonly message: Message
  /** What the message says so far; it is kept in the drafts, where a row that scrolls out of view finds it. */
  readonly text: string
}

export function MessageEditor({ message, text }: MessageEditorProps) {
  const t = useTexts()
  const common = useTranslation().t
  const chat = useChat()
  const drafts = useDrafts()
  const write = (next: string | null) => drafts.edit(message.roomId, message.id, next)
  const content = text.trim()
  const length = [...content].length
  const save = useMutation({
    mutationFn: () =>
      call('PATCH /v1/chat/messages/{messageId}', {
        params: { messageId: message.id },
        body: {
          content,
          mentions: mentionedWithGroups(content, namesOf(chat.people.get().values()), {
            everyone: message.mentions,
            here: message.mentions,
          }),
        },
      }),
    onSuccess: () => write(null),
    onError: showProblem,
  })
  const submit = () => {
    if (content === message.content) write(null)
    else if (length > 0 && length <= MAX_MESSAGE_CHARACTERS) save.mutate()
  }
  return (
    <div>
      <GrowingTextarea
        aria-label={t('composer.editing')}
        value={text}
        onChange={(event) => write(event.currentTarget.value)}
        maxRows={12}
        autoFocus
        error={
          length > MAX_MESSAGE_CHARACTERS && t('composer.tooLong', { count: length - MAX_MESSAGE_CHARACTERS })
        }
        onFocus={({ currentTarget }) => currentTarget.setSelectionRange(text.length, text.length)}
        onKeyDown={(event) => {
          if (event.key === 'Escape' && !isComposing(event)) write(null)
          if (sends(event)) {
            event.preventDefault()
            submit()
          }
        }}
      />
      <Group gap="xs" my={6}>
        <Button size="compact-sm" onClick={submit} loading={save.isPending} disabled={length === 0}>
          {common('common.save')}
        </Button>
        <Button size="compact-sm" variant="subtle" color="gray" onClick={() => write(null)}>
          {common('common.cancel')}
        </Button>
      </Group>
    </div>
  )
}
