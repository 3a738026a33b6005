import { MAX_MESSAGE_CHARACTERS, type Message } from '@akashi/contract'
import { Button, Group, Textarea } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call } from '../../api/index.ts'
import { tellProblem } from '../../ui/index.ts'
import { useChat } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'
import { mentionedIn } from '../model/tokens.ts'
import { sends } from './keys.ts'

interface MessageEditorProps {
  readonly message: Message
  readonly onDone: () => void
}

export function MessageEditor({ message, onDone }: MessageEditorProps) {
  const t = useTexts()
  const common = useTranslation().t
  const chat = useChat()
  const [text, setText] = useState(message.content)
  const content = text.trim()
  const length = [...content].length
  const save = useMutation({
    mutationFn: () => {
      const people = new Map([...chat.people.get().values()].map(({ username, id }) => [username, id]))
      const body = { content, mentions: mentionedIn(content, people) }
      return call('PATCH /v1/chat/messages/{messageId}', { params: { messageId: message.id }, body })
    },
    onSuccess: onDone,
    onError: tellProblem,
  })
  const submit = () => {
    if (content === message.content) onDone()
    else if (length > 0 && length <= MAX_MESSAGE_CHARACTERS) save.mutate()
  }
  return (
    <div>
      <Textarea
        aria-label={t('composer.editing')}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        autosize
        minRows={1}
        maxRows={12}
        autoFocus
        error={
          length > MAX_MESSAGE_CHARACTERS && t('composer.tooLong', { count: length - MAX_MESSAGE_CHARACTERS })
        }
        onFocus={({ currentTarget }) => currentTarget.setSelectionRange(text.length, text.length)}
        onKeyDown={(event) => {
          if (event.key === 'Escape' && !event.nativeEvent.isComposing) onDone()
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
        <Button size="compact-sm" variant="subtle" color="gray" onClick={onDone}>
          {common('common.cancel')}
        </Button>
      </Group>
    </div>
  )
}
