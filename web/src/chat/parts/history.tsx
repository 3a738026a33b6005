import type { Message, Room } from '@akashi/contract'
import { ActionIcon, Button, Loader } from '@mantine/core'
import { IconArrowDown, IconFeather } from '@tabler/icons-react'
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import { showProblem } from '../../ui/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { dayOf, longDay, nameOf, previewOf } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { type Row, rowsOf } from '../model/rows.ts'
import type { TimelineView } from '../model/timeline.ts'
import classes from './history.module.css'
import { MessageRow } from './message-row.tsx'
import { Empty } from './page-head.tsx'
import { PendingRow } from './pending-row.tsx'
import { useAnchoredScroll } from './use-anchored-scroll.ts'

/** How many rows before the edge the next page is loaded. */
const AHEAD_ROWS = 12
/** Milliseconds for which a message that was jumped to is highlighted. */
const MARKED_MS = 2_500

interface HistoryProps {
  readonly room: Room
  readonly name: string
  /** Shows the conversation of a message. */
  readonly onThread: (messageId: string) => void
}

export function History({ room, name, onThread }: HistoryProps) {
  const t = useTexts()
  const chat = useChat()
  const view = useObserved(chat.timelines).get(room.id)
  const pending = useObserved(chat.pending)
  const [search, setSearch] = useSearchParams()
  const wanted = search.get('message')
  const [readTo] = useState(room.unread > 0 ? (room.readTo ?? room.createdAt) : null)
  const [active, setActive] = useState<string | null>(null)
  const [marked, setMarked] = useState<string | null>(null)
  const scroller = useRef<HTMLElement>(null)
  const placed = useRef(false)
  const mine = useMemo(
    () => (view === undefined || view.hasNewer ? [] : pending.filter(({ roomId }) => roomId === room.id)),
    [pending, room.id, view],
  )
  const messages = view?.messages
  const rows = useMemo(
    () => rowsOf(messages ?? [], mine, { me: chat.me.id, readTo, dayOf }),
    [messages, mine, chat.me.id, readTo],
  )
  const { virtualizer, atEnd, toEnd, cancelToEnd, show } = useAnchoredScroll(
    rows,
    view?.hasNewer ?? true,
    scroller,
  )

  useEffect(() => {
    if (wanted === null) void chat.open(room.id).catch(() => undefined)
    else void chat.jump(room.id, wanted).catch(showProblem)
  }, [chat, room.id, wanted])

  // Starts at the message in the address, at the first unread one, or at the end.
  useLayoutEffect(() => {
    if (rows.length === 0) return
    if (wanted !== null) {
      const index = rows.findIndex((row) => row.kind === 'message' && row.message.id === wanted)
      if (index < 0) return
      placed.current = true
      show(index, 'center')
      setMarked(wanted)
      setSearch({}, { replace: true })
      return
    }
    if (placed.current) return
    placed.current = true
    const unread = rows.findIndex(({ kind }) => kind === 'unread')
    if (unread >= 0) show(unread, 'top')
  }, [rows, wanted, show, setSearch])

  useEffect(() => {
    if (marked === null) return
    const timer = setTimeout(() => setMarked(null), MARKED_MS)
    return () => clearTimeout(timer)
  }, [marked])

  const items = virtualizer.getVirtualItems()
  const newestDrawn = items[0]?.index ?? 0
  const oldestDrawn = items.at(-1)?.index ?? 0
  const loading = view?.loading ?? null
  useEffect(() => {
    if (!placed.current || loading !== null || view === undefined || view.failed) return
    if (view.hasOlder && oldestDrawn >= rows.length - AHEAD_ROWS) {
      void chat.loadOlder(room.id).catch(showProblem)
    } else if (view.hasNewer && newestDrawn < AHEAD_ROWS) void chat.loadNewer(room.id).catch(showProblem)
  }, [chat, room.id, newestDrawn, oldestDrawn, loading, rows.length, view])

  // After sending, the reader sees the message, wherever they were.
  const written = useRef(mine.length)
  useEffect(() => {
    if (mine.length > written.current) toEnd()
    written.current = mine.length
  }, [mine.length, toEnd])

  const newest = view?.messages.at(-1)?.id
  const seesEnd = atEnd && view?.hasNewer === false
  useEffect(() => {
    if (!seesEnd || newest === undefined) return
    chat.atEnd(room.id)
    const markRead = () => {
      if (document.visibilityState === 'visible' && document.hasFocus()) chat.read(room.id)
    }
    markRead()
    window.addEventListener('focus', markRead)
    return () => window.removeEventListener('focus', markRead)
  }, [chat, room.id, seesEnd, newest])

  const jump = useCallback((id: string) => setSearch({ message: id }), [setSearch])
  const goToEnd = () => {
    toEnd()
    if (view?.hasNewer === false) return
    void chat.toEnd(room.id).catch((error: unknown) => {
      cancelToEnd()
      showProblem(error)
    })
  }
  const count = view?.messages.length ?? 0
  return (
    <div className={classes['place']}>
      <section
        ref={scroller}
        className={classes['scroller']}
        aria-label={t('room.history', { name })}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: scrolled content must be reachable by keyboard
        tabIndex={0}
        onKeyDown={moveFocus}
        onMouseLeave={() => setActive(null)}
      >
        {rows.length === 0 ? (
          <EmptyHistory room={room} name={name} view={view} />
        ) : (
          <div className={classes['rows']} style={{ height: virtualizer.getTotalSize() }}>
            <div
              className={classes['window']}
              style={{ transform: `translateY(${-(items[0]?.start ?? 0)}px)` }}
            >
              {items.toReversed().map(({ index, key }) => {
                const row = rows[rows.length - 1 - index]
                return (
                  row !== undefined && (
                    <div key={key} data-index={index} ref={virtualizer.measureElement}>
                      <RowView
                        row={row}
                        room={room}
                        active={active === row.key}
                        marked={row.kind === 'message' && marked === row.message.id}
                        onActive={setActive}
                        onJump={jump}
                        onThread={onThread}
                      />
                    </div>
                  )
                )
              })}
            </div>
          </div>
        )}
      </section>
      {count > 0 && (
        // Hidden at the end rather than removed: Chromium stops a scroll when the layout changes under it.
        <ActionIcon
          className={classes['toEnd'] ?? ''}
          data-shown={!seesEnd}
          variant="default"
          size={40}
          radius="xl"
          aria-label={
            room.unread > 0 ? `${t('room.toEnd')}, ${t('unread', { count: room.unread })}` : t('room.toEnd')
          }
          onClick={goToEnd}
        >
          <IconArrowDown size={20} />
          {room.unread > 0 && <span className={classes['new']} data-count={Math.min(room.unread, 99)} />}
        </ActionIcon>
      )}
      <Announcer message={view?.hasNewer === false ? view.messages.at(-1) : undefined} me={chat.me.id} />
    </div>
  )
}

interface EmptyHistoryProps {
  readonly room: Room
  readonly name: string
  readonly view: TimelineView | undefined
}

/** Shown instead of messages: while they load, when that failed, and when there are none. */
function EmptyHistory({ room, name, view }: EmptyHistoryProps) {
  const t = useTexts()
  const common = useTranslation().t
  const chat = useChat()
  if (view?.failed === true) {
    return (
      <div className={classes['failed']} role="alert">
        {t('room.loadFailed')}
        <Button size="xs" variant="light" onClick={() => void chat.toEnd(room.id).catch(showProblem)}>
          {common('common.retry')}
        </Button>
      </div>
    )
  }
  if (view === undefined || view.loading !== null) {
    return <Loader className={classes['wait'] ?? ''} aria-label={common('common.loading')} role="status" />
  }
  return (
    <Empty
      icon={<IconFeather size={28} aria-hidden />}
      title={t('room.empty')}
      detail={
        room.type === 'direct'
          ? t('room.emptyDirect', { name })
          : room.type === 'group'
            ? t('room.emptyGroup', { name })
            : t('room.emptyDetail')
      }
    />
  )
}

interface RowViewProps {
  readonly row: Row
  readonly room: Room
  readonly active: boolean
  readonly marked: boolean
  readonly onActive: (key: string | null) => void
  readonly onJump: (messageId: string) => void
  readonly onThread: (messageId: string) => void
}

function RowView({ row, ...rest }: RowViewProps) {
  const t = useTexts()
  switch (row.kind) {
    case 'day':
      return (
        <h2 className={classes['day']}>
          <time dateTime={row.time}>{longDay(row.time)}</time>
        </h2>
      )
    case 'unread':
      return <div className={classes['unread']}>{t('room.newMessages')}</div>
    case 'pending':
      return <PendingRow pending={row.pending} continued={row.continued} />
    default:
      return <MessageRow rowKey={row.key} message={row.message} continued={row.continued} {...rest} />
  }
}

/** Reads new messages out to people who use a screen reader. */
function Announcer({ message, me }: { readonly message: Message | undefined; readonly me: string }) {
  const t = useTexts()
  const [since] = useState(() => new Date().toISOString())
  const announced =
    message === undefined || message.author?.id === me || message.createdAt < since || message.isDeleted
      ? ''
      : t('messageBy', { name: nameOf(t, message.author), text: previewOf(t, message) })
  return (
    <div className={classes['hidden']} aria-live="polite">
      {announced}
    </div>
  )
}

/** Arrow keys move the focus from message to message. */
function moveFocus(event: React.KeyboardEvent<HTMLElement>): void {
  if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return
  if (event.target instanceof HTMLElement && event.target.matches('input, textarea')) return
  const articles = [...event.currentTarget.querySelectorAll('article')]
  const at = articles.findIndex((article) => article.contains(document.activeElement))
  const next = at < 0 ? articles.at(-1) : articles[at + (event.key === 'ArrowUp' ? -1 : 1)]
  if (next === undefined) return
  event.preventDefault()
  next.focus({ preventScroll: true })
  next.scrollIntoView({ block: 'nearest' })
}
