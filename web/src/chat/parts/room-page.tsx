import type { Message, Room } from '@akashi/contract'
import { ActionIcon, Button, Tooltip } from '@mantine/core'
import {
  IconDoorEnter,
  IconHash,
  IconInfoCircle,
  IconLock,
  IconMoodEmpty,
  IconSearch,
} from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useEffect, useState } from 'react'
import { Link, useParams } from 'react-router'
import { call } from '../../api/index.ts'
import { tell, tellProblem } from '../../ui/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { nameOf, roomName } from '../client/text.ts'
import { useFiles } from '../client/use-files.ts'
import { useTexts } from '../locales/index.ts'
import { Composer } from './composer.tsx'
import { Face } from './face.tsx'
import { History } from './history.tsx'
import { membersQuery } from './inbox-queries.ts'
import { Empty, PageHead } from './page-head.tsx'
import classes from './room-page.module.css'

// Opened seldom: it comes when it is.
const RoomDetails = lazy(async () => ({ default: (await import('./room-details.tsx')).RoomDetails }))

export function RoomPage() {
  const { roomId = '' } = useParams()
  const rooms = useObserved(useChat().rooms)
  const room = rooms?.get(roomId)
  if (rooms === null) return null
  return room === undefined ? <Stranger key={roomId} roomId={roomId} /> : <Inside key={roomId} room={room} />
}

/** Not a member: a public room can be joined, of any other there is nothing to tell. */
function Stranger({ roomId }: { readonly roomId: string }) {
  const t = useTexts()
  const chat = useChat()
  const { data: room, isPending } = useQuery({
    queryKey: ['chat', 'room', roomId],
    queryFn: ({ signal }) => call('GET /v1/chat/rooms/{roomId}', { params: { roomId }, signal }),
    retry: false,
  })
  if (isPending) return null
  if (room === undefined || room.type === 'direct') {
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
        detail={room.description ?? t('room.joinDetail')}
      >
        <Button
          onClick={() =>
            void call('POST /v1/chat/rooms/{roomId}/join', { params: { roomId } })
              .then(() => chat.refresh())
              .then(() => tell(t('room.joined', { name: room.name })))
              .catch(tellProblem)
          }
        >
          {t('room.join')}
        </Button>
      </Empty>
    </>
  )
}

function Inside({ room }: { readonly room: Room }) {
  const t = useTexts()
  const chat = useChat()
  const queries = useQueryClient()
  const [details, setDetails] = useState(false)
  const [replyTo, setReplyTo] = useState<Message | null>(null)
  const [dragging, setDragging] = useState(false)
  const presence = useObserved(chat.presence)
  const version = useObserved(chat.roomVersions).get(room.id) ?? 0
  const files = useFiles(room.id, (fault, name) => tell(t(`file.${fault}`, { name })))
  const { data: members } = useQuery(membersQuery(room.id))
  const name = roomName(t, room)
  const status = room.peer === null ? undefined : presence.get(room.peer.id)

  useEffect(() => {
    if (members !== undefined) chat.meet(members.map(({ user }) => user))
  }, [chat, members])
  useEffect(() => {
    if (version > 0) void queries.invalidateQueries({ queryKey: membersQuery(room.id).queryKey })
  }, [queries, room.id, version])

  const Icon = room.type === 'private' ? IconLock : IconHash
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: files may be dropped anywhere; the button does the same
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
        if (room.isActive) files.add(event.dataTransfer.files)
      }}
    >
      <PageHead
        title={name}
        icon={
          room.type === 'direct' ? (
            <Face person={room.peer} size={34} {...(status === undefined ? {} : { status })} />
          ) : (
            <Icon size={20} role="img" aria-label={t(room.type)} className={classes['icon']} />
          )
        }
        below={
          room.type === 'direct'
            ? status === undefined
              ? `@${room.peer?.username ?? ''}`
              : t(`presence.${status}`)
            : [t('room.members', { count: room.memberCount }), room.description].filter(Boolean).join(' · ')
        }
      >
        <Tooltip label={t('search')}>
          <ActionIcon
            component={Link}
            to={`/chat/search?room=${room.id}`}
            variant="subtle"
            color="gray"
            size="lg"
            aria-label={t('search')}
          >
            <IconSearch size={19} />
          </ActionIcon>
        </Tooltip>
        <Tooltip label={t('room.details')}>
          <ActionIcon
            variant="subtle"
            color="gray"
            size="lg"
            aria-label={t('room.details')}
            onClick={() => setDetails(true)}
          >
            <IconInfoCircle size={20} />
          </ActionIcon>
        </Tooltip>
      </PageHead>
      <History room={room} name={name} onReply={setReplyTo} />
      <Typing roomId={room.id} />
      {room.isActive ? (
        <Composer
          room={room}
          name={name}
          files={files}
          replyTo={replyTo}
          onReplied={() => setReplyTo(null)}
        />
      ) : (
        <p className={classes['closed']}>{t('room.readOnly')}</p>
      )}
      {dragging && room.isActive && <div className={classes['drop']}>{t('composer.drop')}</div>}
      <Suspense>
        {details && <RoomDetails room={room} name={name} opened onClose={() => setDetails(false)} />}
      </Suspense>
    </div>
  )
}

function Typing({ roomId }: { readonly roomId: string }) {
  const t = useTexts()
  const chat = useChat()
  const people = useObserved(chat.people)
  const writing = useObserved(chat.typing).get(roomId) ?? []
  const [name = '', other = ''] = writing.map((id) => nameOf(t, people.get(id)))
  return (
    <p className={classes['typing']} aria-live="polite">
      {writing.length === 1 && t('room.typingOne', { name })}
      {writing.length === 2 && t('room.typingTwo', { name, other })}
      {writing.length > 2 && t('room.typingMany')}
    </p>
  )
}
