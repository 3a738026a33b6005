import type { Room } from '@akashi/contract'
import { ActionIcon, Button, Tooltip } from '@mantine/core'
import {
  IconDoorEnter,
  IconHash,
  IconInfoCircle,
  IconLock,
  IconMoodEmpty,
  IconSearch,
  IconShieldLock,
  IconStar,
  IconStarFilled,
} from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { Link, useParams } from 'react-router'
import { call } from '../../api/index.ts'
import { lazily } from '../../shell/index.ts'
import { showMessage, showProblem } from '../../ui/index.ts'
import { useChat, useDrafts, useObserved } from '../client/context.tsx'
import { membersQuery } from '../client/queries.ts'
import { isDirect, nameOf, peersOf, roomName } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { Composer } from './composer.tsx'
import { DialogBoundary } from './dialog-boundary.tsx'
import { GroupAvatar } from './group-avatar.tsx'
import { History } from './history.tsx'
import { Empty, PageHead } from './page-head.tsx'
import { PersonAvatar } from './person-avatar.tsx'
import classes from './room-page.module.css'

const Thread = lazily(async () => (await import('./thread.tsx')).Thread)
const RoomDetails = lazily(async () => (await import('./room-details.tsx')).RoomDetails)

export function RoomPage() {
  const { roomId = '' } = useParams()
  const rooms = useObserved(useChat().rooms)
  const room = rooms?.get(roomId)
  if (rooms === null) return null
  return room === undefined ? (
    <JoinPage key={roomId} roomId={roomId} />
  ) : (
    <RoomView key={roomId} room={room} />
  )
}

/** For people who are not a member: public rooms can be joined, others are not shown. */
function JoinPage({ roomId }: { readonly roomId: string }) {
  const t = useTexts()
  const chat = useChat()
  const { data: room, isPending } = useQuery({
    queryKey: ['chat', 'room', roomId],
    queryFn: ({ signal }) => call('GET /v1/chat/rooms/{roomId}', { params: { roomId }, signal }),
    retry: false,
  })
  const join = useMutation({
    mutationFn: async () => {
      await call('POST /v1/chat/rooms/{roomId}/join', { params: { roomId } })
      await chat.refresh()
    },
    onSuccess: () => showMessage(t('room.joined', { name: room?.name ?? '' })),
    onError: showProblem,
  })
  const isHidden = room === undefined || isDirect(room)
  if (isPending) return null
  if (isHidden) {
    return (
      <>
        <PageHead title={t('title')} />
        <Empty
          icon={<IconMoodEmpty size={30} aria-hidden />}
          title={t('room.missing')}
          detail={t('room.missingDetail')}
        >
          <Button component={Link} to="/chat/directory" variant="light">
            {t('directory')}
          </Button>
        </Empty>
      </>
    )
  }
  return (
    <>
      <PageHead title={room.name} below={t('room.members', { count: room.memberCount })} />
      <Empty
        icon={<IconDoorEnter size={30} aria-hidden />}
        title={room.name}
        detail={[room.description, t('room.joinDetail')].filter(Boolean).join('\n')}
      >
        <Button loading={join.isPending} onClick={() => join.mutate()}>
          {t('room.join')}
        </Button>
      </Empty>
    </>
  )
}

function RoomView({ room }: { readonly room: Room }) {
  const t = useTexts()
  const chat = useChat()
  const drafts = useDrafts()
  const [details, setDetails] = useState(false)
  const [thread, setThread] = useState<string | null>(null)
  const [dragging, setDragging] = useState(false)
  const { data: members } = useQuery(membersQuery(room.id))
  const name = roomName(t, room)

  useEffect(() => {
    if (members !== undefined) chat.remember(members.map(({ user }) => user))
  }, [chat, members])

  const attach = (files: Iterable<File>) => {
    if (room.isEncrypted) {
      showMessage(t('composer.noFiles'))
      return
    }
    for (const refused of drafts.attach(room.id, files)) {
      showMessage(t(`file.${refused.fault}`, { name: refused.name }))
    }
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: files can be dropped anywhere; a button does the same
    <div
      className={classes['room']}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes('Files')) return
        event.preventDefault()
        setDragging(true)
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setDragging(false)
      }}
      onDrop={(event) => {
        setDragging(false)
        if (event.dataTransfer.files.length === 0) return
        event.preventDefault()
        if (room.isActive) attach([...event.dataTransfer.files])
      }}
    >
      <RoomHead room={room} name={name} onDetails={() => setDetails(true)} />
      <History room={room} name={name} onThread={setThread} />
      <TypingLine roomId={room.id} />
      {room.isActive ? (
        <Composer room={room} name={name} onFiles={attach} />
      ) : (
        <p className={classes['closed']}>{t('room.readOnly')}</p>
      )}
      {dragging && room.isActive && !room.isEncrypted && (
        <div className={classes['drop']}>{t('composer.drop')}</div>
      )}
      {thread !== null && (
        <DialogBoundary onClose={() => setThread(null)}>
          <Thread room={room} messageId={thread} onClose={() => setThread(null)} />
        </DialogBoundary>
      )}
      {details && (
        <DialogBoundary onClose={() => setDetails(false)}>
          <RoomDetails room={room} name={name} opened onClose={() => setDetails(false)} />
        </DialogBoundary>
      )}
    </div>
  )
}

interface RoomHeadProps {
  readonly room: Room
  readonly name: string
  readonly onDetails: () => void
}

function RoomHead({ room, name, onDetails }: RoomHeadProps) {
  const t = useTexts()
  const presence = useObserved(useChat().presence)
  const status = room.peer === null ? undefined : presence.get(room.peer.id)
  const Icon = room.isEncrypted ? IconShieldLock : room.type === 'private' ? IconLock : IconHash
  return (
    <PageHead
      title={name}
      icon={
        room.type === 'group' ? (
          <GroupAvatar people={peersOf(room)} size={34} />
        ) : room.type === 'direct' ? (
          <PersonAvatar person={room.peer} size={34} status={status} />
        ) : (
          <Icon
            size={20}
            role="img"
            aria-label={t(room.isEncrypted ? 'encrypted' : room.type)}
            className={classes['icon']}
          />
        )
      }
      below={
        room.type === 'direct'
          ? status === undefined
            ? `@${room.peer?.username ?? ''}`
            : t(`presence.${status}`)
          : [
              t('room.members', { count: room.memberCount }),
              room.isEncrypted && t('room.encrypted'),
              room.description,
            ]
              .filter(Boolean)
              .join(' · ')
      }
    >
      <Favourite room={room} />
      {!room.isEncrypted && (
        <Tooltip label={t('room.search')}>
          <ActionIcon
            component={Link}
            to={`/chat/search?room=${room.id}`}
            variant="subtle"
            color="gray"
            size="lg"
            aria-label={t('room.search')}
          >
            <IconSearch size={19} />
          </ActionIcon>
        </Tooltip>
      )}
      <Tooltip label={t('room.details')}>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={t('room.details')}
          onClick={onDetails}
        >
          <IconInfoCircle size={20} />
        </ActionIcon>
      </Tooltip>
    </PageHead>
  )
}

function Favourite({ room }: { readonly room: Room }) {
  const t = useTexts()
  const chat = useChat()
  const set = useMutation({
    mutationFn: async (wanted: boolean) => {
      await call(`${wanted ? 'PUT' : 'DELETE'} /v1/chat/rooms/{roomId}/favourite`, {
        params: { roomId: room.id },
      })
      await chat.refresh()
    },
    onError: showProblem,
  })
  const isFavourite = set.isPending ? set.variables : room.isFavourite
  const Icon = isFavourite ? IconStarFilled : IconStar
  return (
    <Tooltip label={t('room.favourite')}>
      <ActionIcon
        variant="subtle"
        color={isFavourite ? 'yellow' : 'gray'}
        size="lg"
        aria-label={t('room.favourite')}
        aria-pressed={isFavourite}
        disabled={set.isPending}
        onClick={() => set.mutate(!room.isFavourite)}
      >
        <Icon size={19} />
      </ActionIcon>
    </Tooltip>
  )
}

function TypingLine({ roomId }: { readonly roomId: string }) {
  const t = useTexts()
  const chat = useChat()
  const people = useObserved(chat.people)
  const typing = useObserved(chat.typing).get(roomId) ?? []
  const [name = '', other = ''] = typing.map((id) => nameOf(t, people.get(id)))
  return (
    <p className={classes['typing']} aria-live="polite">
      {typing.length === 1 && t('room.typingOne', { name })}
      {typing.length === 2 && t('room.typingTwo', { name, other })}
      {typing.length > 2 && t('room.typingMany')}
    </p>
  )
}
