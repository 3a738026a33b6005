import { MAX_UNREAD_COUNTED, type Room } from '@akashi/contract'
import { ActionIcon, Loader, Tooltip } from '@mantine/core'
import {
  IconBell,
  IconBookmark,
  IconCompass,
  IconHash,
  IconLock,
  IconPlus,
  IconSearch,
  IconShieldLock,
} from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { NavLink } from 'react-router'
import { lazily } from '../../shell/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { unreadQuery } from '../client/queries.ts'
import { clockOrDay, isDirect, nameOf, peersOf, previewOf, roomName } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { byNewest } from '../model/rooms.ts'
import { DialogBoundary } from './dialog-boundary.tsx'
import { GroupAvatar } from './group-avatar.tsx'
import { PersonAvatar } from './person-avatar.tsx'
import classes from './sidebar.module.css'

const NewDirect = lazily(async () => (await import('./new-direct.tsx')).NewDirect)

export function Sidebar({ onNewRoom }: { readonly onNewRoom: () => void }) {
  const t = useTexts()
  const common = useTranslation().t
  const chat = useChat()
  const [choosing, setChoosing] = useState(false)
  const rooms = useObserved(chat.rooms)
  const connection = useObserved(chat.connection)
  const sorted = byNewest(rooms?.values() ?? [])
  const favourites = sorted.filter(({ isFavourite }) => isFavourite)
  const others = sorted.filter(({ isFavourite }) => !isFavourite)
  const direct = others.filter(isDirect)
  const shared = others.filter((room) => !isDirect(room))
  const peers = sorted.flatMap(({ peer }) => (peer === null ? [] : [peer.id])).join(' ')
  useEffect(() => {
    if (connection === 'open' && peers !== '') void chat.watch(peers.split(' ')).catch(() => undefined)
  }, [chat, connection, peers])

  return (
    <nav className={classes['side']} aria-label={t('list')}>
      <ul className={classes['places']}>
        <Place to="/chat/search" icon={<IconSearch size={18} aria-hidden />} label={t('search')} />
        <Place to="/chat/directory" icon={<IconCompass size={18} aria-hidden />} label={t('directory')} />
        <Place
          to="/chat/notifications"
          icon={<IconBell size={18} aria-hidden />}
          label={t('notifications')}
          badge={<InboxBadge />}
        />
        <Place to="/chat/saved" icon={<IconBookmark size={18} aria-hidden />} label={t('savedPage.title')} />
      </ul>
      <div className={classes['rooms']}>
        {favourites.length > 0 && (
          <Group title={t('favourites')}>
            {favourites.map((room) => (
              <RoomLink key={room.id} room={room} />
            ))}
          </Group>
        )}
        <Group title={t('rooms')} add={t('newRoom')} onAdd={onNewRoom}>
          {rooms === null && (
            <li className={classes['wait']}>
              <Loader size="sm" aria-label={common('common.loading')} role="status" />
            </li>
          )}
          {shared.map((room) => (
            <RoomLink key={room.id} room={room} />
          ))}
          {rooms !== null && shared.length === 0 && favourites.length === 0 && (
            <li className={classes['empty']}>
              <strong>{t('noRooms')}</strong>
              <br />
              {t('noRoomsDetail')}
            </li>
          )}
        </Group>
        <Group title={t('direct')} add={t('newDirect')} onAdd={() => setChoosing(true)}>
          {direct.map((room) => (
            <RoomLink key={room.id} room={room} />
          ))}
          {rooms !== null && direct.length === 0 && <li className={classes['empty']}>{t('noDirect')}</li>}
        </Group>
      </div>
      {choosing && (
        <DialogBoundary onClose={() => setChoosing(false)}>
          <NewDirect opened onClose={() => setChoosing(false)} />
        </DialogBoundary>
      )}
    </nav>
  )
}

interface PlaceProps {
  readonly to: string
  readonly icon: ReactNode
  readonly label: string
  readonly badge?: ReactNode
}

function Place({ to, icon, label, badge }: PlaceProps) {
  return (
    <li>
      <NavLink to={to} className={classes['place'] ?? ''}>
        {icon}
        <span className={classes['label']}>{label}</span>
        {badge}
      </NavLink>
    </li>
  )
}

function InboxBadge() {
  const t = useTexts()
  const { data: count = 0 } = useQuery(unreadQuery)
  if (count === 0) return null
  return (
    <span className={classes['badge']} data-mention>
      <span aria-hidden>{capped(count)}</span>
      <span className={classes['hidden']}>{t('unreadNotifications', { count })}</span>
    </span>
  )
}

interface GroupProps {
  readonly title: string
  readonly add?: string
  readonly onAdd?: () => void
  readonly children: ReactNode
}

function Group({ title, add, onAdd, children }: GroupProps) {
  return (
    <section>
      <div className={classes['head']}>
        <h2>{title}</h2>
        {add !== undefined && (
          <Tooltip label={add}>
            <ActionIcon variant="subtle" color="gray" aria-label={add} onClick={onAdd}>
              <IconPlus size={17} />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      <ul>{children}</ul>
    </section>
  )
}

function RoomLink({ room }: { readonly room: Room }) {
  const t = useTexts()
  const { me, presence } = useChat()
  const online = useObserved(presence)
  const { lastMessage, unread, unreadMentions } = room
  const name = roomName(t, room)
  const text = lastMessage === null ? '' : previewOf(t, lastMessage)
  const preview =
    lastMessage === null
      ? (room.description ?? '')
      : lastMessage.author?.id === me.id
        ? t('you', { text })
        : room.type === 'direct'
          ? text
          : t('messageBy', { name: nameOf(t, lastMessage.author), text })
  return (
    <li>
      <NavLink
        to={`/chat/rooms/${room.id}`}
        className={classes['room'] ?? ''}
        data-unread={unread > 0}
        data-quiet={!room.isActive || room.notificationLevel === 'none'}
      >
        <RoomIcon room={room} status={room.peer === null ? undefined : online.get(room.peer.id)} />
        <span className={classes['texts']}>
          <span className={classes['line']}>
            <bdi className={classes['name']}>{name}</bdi>
            {lastMessage !== null && (
              <time className={classes['time']} dateTime={lastMessage.createdAt}>
                {clockOrDay(lastMessage.createdAt)}
              </time>
            )}
          </span>
          <span className={classes['line']}>
            <bdi className={classes['preview']}>{preview}</bdi>
            {unread > 0 && (
              <span className={classes['badge']} data-mention={unreadMentions > 0 || isDirect(room)}>
                <span aria-hidden>
                  {unreadMentions > 0 && '@'}
                  {capped(unread)}
                </span>
                <span className={classes['hidden']}>
                  {t('unread', { count: unread })}
                  {unreadMentions > 0 && `, ${t('mentions', { count: unreadMentions })}`}
                </span>
              </span>
            )}
          </span>
        </span>
      </NavLink>
    </li>
  )
}

function RoomIcon({
  room,
  status,
}: {
  readonly room: Room
  readonly status: 'online' | 'away' | 'offline' | undefined
}) {
  const t = useTexts()
  if (room.type === 'direct') {
    return <PersonAvatar person={room.peer} size={36} status={status} />
  }
  if (room.type === 'group') return <GroupAvatar people={peersOf(room)} size={36} />
  const Icon = room.isEncrypted ? IconShieldLock : room.type === 'private' ? IconLock : IconHash
  return (
    <span className={classes['icon']}>
      <Icon size={18} aria-label={t(room.isEncrypted ? 'encrypted' : room.type)} role="img" />
    </span>
  )
}

function capped(count: number): string {
  return count >= MAX_UNREAD_COUNTED ? `${MAX_UNREAD_COUNTED - 1}+` : String(count)
}
