import {
  MAX_ROOM_DESCRIPTION_CHARACTERS,
  MAX_ROOM_MEMBERS,
  MAX_ROOM_NAME_CHARACTERS,
  type Room,
} from '@akashi/contract'
import { Button, NumberInput, Select, Stack, Tabs, Text, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import { call } from '../../api/index.ts'
import { day } from '../../i18n/when.ts'
import { GrowingTextarea, SidePanel, showMessage, showProblem } from '../../ui/index.ts'
import { useChat } from '../client/context.tsx'
import { isDirect } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { ConfirmButton } from './confirm-button.tsx'
import { Members } from './members.tsx'
import { MessageText } from './message-text.tsx'
import { RoomFiles } from './room-files.tsx'
import { RoomPins } from './room-pins.tsx'

interface RoomDetailsProps {
  readonly room: Room
  readonly name: string
  readonly opened: boolean
  readonly onClose: () => void
}

export function RoomDetails({ room, name, opened, onClose }: RoomDetailsProps) {
  const t = useTexts()
  return (
    <SidePanel opened={opened} onClose={onClose} size={400} title={<bdi>{name}</bdi>}>
      <Tabs defaultValue="about" keepMounted={false}>
        <Tabs.List grow>
          <Tabs.Tab value="about">{t('details.about')}</Tabs.Tab>
          <Tabs.Tab value="members">{t('details.members')}</Tabs.Tab>
          <Tabs.Tab value="pins">{t('details.pins')}</Tabs.Tab>
          <Tabs.Tab value="files">{t('details.files')}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="about" pt="md">
          <About room={room} name={name} />
        </Tabs.Panel>
        <Tabs.Panel value="members" pt="md">
          <Members room={room} onLeave={onClose} />
        </Tabs.Panel>
        <Tabs.Panel value="pins" pt="md">
          <RoomPins roomId={room.id} onOpen={onClose} />
        </Tabs.Panel>
        <Tabs.Panel value="files" pt="md">
          <RoomFiles roomId={room.id} onOpen={onClose} />
        </Tabs.Panel>
      </Tabs>
    </SidePanel>
  )
}

function About({ room, name }: { readonly room: Room; readonly name: string }) {
  const t = useTexts()
  const direct = isDirect(room)
  const manages = !direct && room.isActive && (room.role === 'owner' || room.role === 'admin')
  return (
    <Stack>
      <NotifyLevel room={room} />
      {manages ? <Settings room={room} /> : !direct && <Description text={room.description} />}
      <Text size="xs" c="dimmed">
        {t('details.created', { when: day(room.createdAt) })}
      </Text>
      {!direct && <RoomActions room={room} name={name} />}
    </Stack>
  )
}

function Description({ text }: { readonly text: string | null }) {
  const t = useTexts()
  return text === null ? (
    <Text size="sm" c="dimmed">
      {t('details.noDescription')}
    </Text>
  ) : (
    <MessageText text={text} mentions={[]} />
  )
}

function NotifyLevel({ room }: { readonly room: Room }) {
  const t = useTexts()
  const chat = useChat()
  const set = useMutation({
    mutationFn: async (level: 'all' | 'mentions' | 'none') => {
      await call('PUT /v1/chat/rooms/{roomId}/notification-level', {
        params: { roomId: room.id },
        body: { level },
      })
      await chat.refresh()
    },
    onError: showProblem,
  })
  return (
    <Select
      label={t('details.notify')}
      value={set.isPending ? set.variables : room.notificationLevel}
      allowDeselect={false}
      data={[
        { value: 'all', label: t('details.notifyAll') },
        { value: 'mentions', label: t('details.notifyMentions') },
        { value: 'none', label: t('details.notifyNone') },
      ]}
      onChange={(level) => level !== null && set.mutate(level)}
    />
  )
}

function Settings({ room }: { readonly room: Room }) {
  const t = useTexts()
  const common = useTranslation().t
  const [name, setName] = useState(room.name)
  const [description, setDescription] = useState(room.description ?? '')
  const [type, setType] = useState(room.type === 'private' ? 'private' : 'public')
  const [maxMembers, setMaxMembers] = useState<number | string>(room.maxMembers)
  const owns = room.role === 'owner'
  const most = Number(maxMembers)
  const changes = {
    ...(name.trim() === room.name || name.trim() === '' ? {} : { name: name.trim() }),
    ...(description.trim() === (room.description ?? '') ? {} : { description: description.trim() }),
    ...(!owns || type === room.type
      ? {}
      : { type: type === 'private' ? ('private' as const) : ('public' as const) }),
    ...(!owns || most === room.maxMembers || !Number.isInteger(most) ? {} : { maxMembers: most }),
  }
  const save = useMutation({
    mutationFn: () => call('PATCH /v1/chat/rooms/{roomId}', { params: { roomId: room.id }, body: changes }),
    onSuccess: () => showMessage(common('common.saved')),
    onError: showProblem,
  })
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        save.mutate()
      }}
    >
      <Stack>
        <TextInput
          label={t('details.name')}
          value={name}
          maxLength={MAX_ROOM_NAME_CHARACTERS}
          required
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <GrowingTextarea
          label={t('details.description')}
          value={description}
          maxLength={MAX_ROOM_DESCRIPTION_CHARACTERS}
          minRows={2}
          maxRows={8}
          onChange={(event) => setDescription(event.currentTarget.value)}
        />
        {owns && (
          <>
            <Select
              label={t('newRoomForm.type')}
              value={type}
              allowDeselect={false}
              // What was said in private stays with the members.
              disabled={room.type === 'private'}
              data={[
                { value: 'public', label: t('newRoomForm.public') },
                { value: 'private', label: t('newRoomForm.private') },
              ]}
              onChange={(value) => setType(value ?? type)}
            />
            <NumberInput
              label={t('details.maxMembers')}
              value={maxMembers}
              min={room.memberCount}
              max={MAX_ROOM_MEMBERS}
              allowDecimal={false}
              onChange={setMaxMembers}
            />
          </>
        )}
        <Button type="submit" loading={save.isPending} disabled={Object.keys(changes).length === 0}>
          {t('details.save')}
        </Button>
      </Stack>
    </form>
  )
}

/** What ends a membership or the room. */
function RoomActions({ room, name }: { readonly room: Room; readonly name: string }) {
  const t = useTexts()
  const chat = useChat()
  const navigate = useNavigate()
  const params = { roomId: room.id }
  const leavePage = async () => {
    await navigate('/chat')
    await chat.refresh()
  }
  const archive = room.isActive ? t('details.archive') : t('details.unarchive')
  return (
    <Stack gap="xs" align="flex-start">
      <ConfirmButton
        label={t('details.leave')}
        title={t('details.leaveTitle', { name })}
        detail={t('details.leaveDetail')}
        onConfirm={() => call('POST /v1/chat/rooms/{roomId}/leave', { params }).then(leavePage)}
      />
      {room.role === 'owner' && (
        <>
          <ConfirmButton
            label={archive}
            title={
              room.isActive ? t('details.archiveTitle', { name }) : t('details.unarchiveTitle', { name })
            }
            detail={room.isActive ? t('details.archiveDetail') : t('details.unarchiveDetail')}
            onConfirm={() =>
              call('PATCH /v1/chat/rooms/{roomId}', { params, body: { isActive: !room.isActive } })
            }
          />
          <ConfirmButton
            label={t('details.delete')}
            title={t('details.deleteTitle', { name })}
            detail={t(room.isEncrypted ? 'details.deleteEncryptedDetail' : 'details.deleteDetail')}
            onConfirm={() => call('DELETE /v1/chat/rooms/{roomId}', { params }).then(leavePage)}
          />
        </>
      )}
    </Stack>
  )
}
