import { IconCloudOff, IconRefresh } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useEffect, useState } from 'react'
import { Outlet, useLocation, useNavigate } from 'react-router'
import { usePageTitle, useShortcuts } from '../../shell/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'
import { byNewest } from '../model/rooms.ts'
import classes from './chat-frame.module.css'
import { Sidebar } from './sidebar.tsx'

// Opened seldom: it comes when it is.
const NewRoom = lazy(async () => ({ default: (await import('./new-room.tsx')).NewRoom }))

/** Conversations on one side, what was chosen on the other; on a phone one of the two. */
export function ChatFrame() {
  const t = useTexts()
  const chat = useChat()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const { pathname } = useLocation()
  const [creating, setCreating] = useState(false)
  const rooms = useObserved(chat.rooms)
  const inbox = useObserved(chat.inbox)
  const unread = [...(rooms?.values() ?? [])].filter((room) => room.unread > 0)
  const atList = /^\/chat\/?$/.test(pathname)
  usePageTitle(unread.length > 0 ? `(${unread.length}) ${t('title')}` : t('title'))

  useEffect(() => {
    if (inbox > 0) void queries.invalidateQueries({ queryKey: ['chat', 'inbox'] })
  }, [inbox, queries])

  useShortcuts([
    {
      keys: 'mod+k',
      label: t('shortcuts.search'),
      group: t('shortcuts.group'),
      act: () => void navigate('/chat/search'),
    },
    { keys: 'n', label: t('shortcuts.newRoom'), group: t('shortcuts.group'), act: () => setCreating(true) },
    {
      keys: 'd',
      label: t('shortcuts.directory'),
      group: t('shortcuts.group'),
      act: () => void navigate('/chat/directory'),
    },
    {
      keys: 'i',
      label: t('shortcuts.notifications'),
      group: t('shortcuts.group'),
      act: () => void navigate('/chat/notifications'),
    },
    {
      keys: 'u',
      label: t('shortcuts.next'),
      group: t('shortcuts.group'),
      act: () => {
        const next = byNewest(unread).find(({ id }) => !pathname.endsWith(id))
        if (next !== undefined) void navigate(`/chat/rooms/${next.id}`)
      },
    },
  ])

  return (
    <div className={classes['frame']} data-at={atList ? 'list' : 'page'}>
      <Sidebar onNewRoom={() => setCreating(true)} />
      <section className={classes['page']}>
        <LinkState />
        <Outlet />
      </section>
      <Suspense>{creating && <NewRoom opened onClose={() => setCreating(false)} />}</Suspense>
    </div>
  )
}

/** Milliseconds for which a broken connection is not worth a word. */
const PATIENCE_MS = 1_500

function LinkState() {
  const t = useTexts()
  const link = useObserved(useChat().link)
  const online = useOnline()
  const [shown, setShown] = useState(false)
  const broken = !online || link === 'waiting' || link === 'connecting'
  useEffect(() => {
    if (!broken) {
      setShown(false)
      return
    }
    const timer = setTimeout(() => setShown(true), online ? PATIENCE_MS : 0)
    return () => clearTimeout(timer)
  }, [broken, online])
  return (
    <div role="status" className={classes['link']} data-shown={shown}>
      {shown &&
        (online ? (
          <>
            <IconRefresh size={16} aria-hidden />
            <span>{t('link.reconnecting')}</span>
          </>
        ) : (
          <>
            <IconCloudOff size={16} aria-hidden />
            <span>{t('link.offline')}</span>
          </>
        ))}
    </div>
  )
}

function useOnline(): boolean {
  const [online, setOnline] = useState(navigator.onLine)
  useEffect(() => {
    const look = () => setOnline(navigator.onLine)
    window.addEventListener('online', look)
    window.addEventListener('offline', look)
    return () => {
      window.removeEventListener('online', look)
      window.removeEventListener('offline', look)
    }
  }, [])
  return online
}
