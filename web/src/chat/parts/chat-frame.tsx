import { IconCloudOff, IconRefresh } from '@tabler/icons-react'
import { Suspense, useEffect, useState } from 'react'
import { Outlet, useLocation, useNavigate } from 'react-router'
import { ErrorBoundary, lazily, Main, useShortcuts, useTitleCount } from '../../shell/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'
import { byNewest } from '../model/rooms.ts'
import classes from './chat-frame.module.css'
import { DialogBoundary } from './dialog-boundary.tsx'
import { Sidebar } from './sidebar.tsx'
import { useDesktopNotifications } from './use-desktop-notifications.ts'

const Switcher = lazily(async () => (await import('./switcher.tsx')).Switcher)
const NewRoom = lazily(async () => (await import('./new-room.tsx')).NewRoom)

/** The list of conversations beside the current page; on a phone one of the two. */
export function ChatFrame() {
  const t = useTexts()
  const chat = useChat()
  const { pathname } = useLocation()
  const [creating, setCreating] = useState(false)
  const [switching, setSwitching] = useState(false)
  const rooms = useObserved(chat.rooms)
  const unread = byNewest(rooms?.values() ?? []).filter((room) => room.unread > 0)
  const atList = /^\/chat\/?$/.test(pathname)
  useTitleCount(unread.length)
  useChatShortcuts({
    onNewRoom: () => setCreating(true),
    onSwitch: () => setSwitching(true),
    nextUnread: unread.find(({ id }) => !pathname.endsWith(id))?.id,
  })
  useDesktopNotifications()
  return (
    <div className={classes['frame']} data-at={atList ? 'list' : 'page'}>
      {atList && <h1 className={classes['listTitle']}>{t('title')}</h1>}
      <Sidebar onNewRoom={() => setCreating(true)} />
      <Main className={classes['page']}>
        <ConnectionLine />
        <ErrorBoundary resetKey={pathname}>
          <Suspense>
            <Outlet />
          </Suspense>
        </ErrorBoundary>
      </Main>
      {switching && (
        <DialogBoundary onClose={() => setSwitching(false)}>
          <Switcher onClose={() => setSwitching(false)} />
        </DialogBoundary>
      )}
      {creating && (
        <DialogBoundary onClose={() => setCreating(false)}>
          <NewRoom opened onClose={() => setCreating(false)} />
        </DialogBoundary>
      )}
    </div>
  )
}

interface ChatShortcuts {
  readonly onNewRoom: () => void
  readonly onSwitch: () => void
  readonly nextUnread: string | undefined
}

function useChatShortcuts({ onNewRoom, onSwitch, nextUnread }: ChatShortcuts): void {
  const t = useTexts()
  const navigate = useNavigate()
  const group = t('shortcuts.group')
  const to = (path: string) => () => void navigate(path)
  useShortcuts([
    { keys: 'mod+k', label: t('shortcuts.switch'), group, run: onSwitch },
    { keys: 's', label: t('shortcuts.search'), group, run: to('/chat/search') },
    {
      keys: 'alt+arrowdown',
      label: t('shortcuts.next'),
      group,
      run: () => nextUnread !== undefined && void navigate(`/chat/rooms/${nextUnread}`),
    },
    { keys: 'n', label: t('newRoom'), group, run: onNewRoom },
    { keys: 'd', label: t('directory'), group, run: to('/chat/directory') },
    { keys: 'i', label: t('notifications'), group, run: to('/chat/notifications') },
  ])
}

/** Milliseconds for which a broken connection is not mentioned. */
const PATIENCE_MS = 1_500

function ConnectionLine() {
  const t = useTexts()
  const connection = useObserved(useChat().connection)
  const online = useOnline()
  const [shown, setShown] = useState(false)
  const broken = !online || connection === 'waiting' || connection === 'connecting'
  useEffect(() => {
    if (!broken) {
      setShown(false)
      return
    }
    const timer = setTimeout(() => setShown(true), online ? PATIENCE_MS : 0)
    return () => clearTimeout(timer)
  }, [broken, online])
  const Icon = online ? IconRefresh : IconCloudOff
  return (
    <div role="status" className={classes['connection']} data-shown={shown}>
      {shown && (
        <>
          <Icon size={16} aria-hidden />
          <span>{t(online ? 'connection.reconnecting' : 'connection.offline')}</span>
        </>
      )}
    </div>
  )
}

function useOnline(): boolean {
  const [online, setOnline] = useState(navigator.onLine)
  useEffect(() => {
    const update = () => setOnline(navigator.onLine)
    window.addEventListener('online', update)
    window.addEventListener('offline', update)
    return () => {
      window.removeEventListener('online', update)
      window.removeEventListener('offline', update)
    }
  }, [])
  return online
}
