import { MAX_ROOM_DESCRIPTION_CHARACTERS, MAX_ROOM_NAME_CHARACTERS } from '@akashi/contract'
import { Button, Group, Radio, Stack, Switch, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { call } from '../../api/index.ts'
import { Dialog, GrowingTextarea, showProblem } from '../../ui/index.ts'
import { useChat } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'

interface NewRoomProps {
  readonly opened: boolean
  readonly onClose: () => void
}

export function NewRoom({ opened, onClose }: NewRoomProps) {
  const t = useTexts()
  return (
    <Dialog opened={opened} onClose={onClose} title={t('newRoomForm.title')}>
      <Form onDone={onClose} />
    </Dialog>
  )
}

function Form({ onDone }: { readonly onDone: () => void }) {
  const t = useTexts()
  const chat = useChat()
  const navigate = useNavigate()
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const [type, setType] = useState<'public' | 'private'>('public')
  const [encrypted, setEncrypted] = useState(false)
  const create = useMutation({
    mutationFn: async () => {
      const body = {
        name: name.trim(),
        type,
        isEncrypted: type === 'private' && encrypted,
        ...(description.trim() === '' ? {} : { description }),
      }
      const room = await call('POST /v1/chat/rooms', { body })
      await chat.refresh()
      return room
    },
    onSuccess: (room) => {
      onDone()
      void navigate(`/chat/rooms/${room.id}`)
    },
    onError: showProblem,
  })
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (name.trim() !== '') create.mutate()
      }}
    >
      <Stack>
        <TextInput
          label={t('newRoomForm.name')}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          maxLength={MAX_ROOM_NAME_CHARACTERS}
          required
          data-autofocus
        />
        <GrowingTextarea
          label={t('newRoomForm.description')}
          description={t('newRoomForm.descriptionDetail')}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
          maxLength={MAX_ROOM_DESCRIPTION_CHARACTERS}
          minRows={2}
          maxRows={6}
        />
        <Radio.Group
          label={t('newRoomForm.type')}
          value={type}
          onChange={(value) => setType(value === 'private' ? 'private' : 'public')}
        >
          <Stack gap="xs" mt="xs">
            <Radio
              value="public"
              label={t('newRoomForm.public')}
              description={t('newRoomForm.publicDetail')}
            />
            <Radio
              value="private"
              label={t('newRoomForm.private')}
              description={t('newRoomForm.privateDetail')}
            />
          </Stack>
        </Radio.Group>
        {type === 'private' && (
          <Switch
            label={t('newRoomForm.encrypted')}
            description={t('newRoomForm.encryptedDetail')}
            checked={encrypted}
            onChange={(event) => setEncrypted(event.currentTarget.checked)}
          />
        )}
        <Group justify="flex-end">
          <Button type="submit" loading={create.isPending} disabled={name.trim() === ''}>
            {t('newRoomForm.create')}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
