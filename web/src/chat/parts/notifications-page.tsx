import type { Notification, Preferences } from '@akashi/contract'
import { Button, Loader, Select, Stack, Switch } from '@mantine/core'
import { IconAt, IconBell, IconCornerUpLeft, IconMail, IconMessage } from '@tabler/icons-react'
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from 'react-router'
import { call } from '../../api/index.ts'
import { ago } from '../../i18n/when.ts'
import { preferencesQuery } from '../../shell/index.ts'
import { showProblem } from '../../ui/index.ts'
import { useChat } from '../client/context.tsx'
import { inboxKey, invitationsQuery } from '../client/queries.ts'
import { nameOf } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { plainText } from '../model/markdown.ts'
import { DesktopSwitch } from './desktop-switch.tsx'
import { Empty, PageHead } from './page-head.tsx'
import classes from './pages.module.css'

export function NotificationsPage() {
  const t = useTexts()
  const queries = useQueryClient()
  const { data, isPending, isFetchingNextPage, fetchNextPage, hasNextPage } = useInfiniteQuery({
    queryKey: [...inboxKey, 'list'],
    queryFn: ({ signal, pageParam }) =>
      call('GET /v1/chat/notifications', {
        query: { limit: 30, ...(pageParam === null ? {} : { cursor: pageParam }) },
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  })
  const readAll = useMutation({
    mutationFn: () => call('POST /v1/chat/notifications/read', { body: {} }),
    onSuccess: () => queries.invalidateQueries({ queryKey: inboxKey }),
    onError: showProblem,
  })
  const { data: invitations } = useQuery(invitationsQuery)
  const invitedTo = new Set(invitations?.map(({ room }) => room.id))
  const list = (data?.pages.flatMap(({ notifications }) => notifications) ?? []).filter(
    // An open invitation is shown above, where it can be answered.
    ({ type, room }) => type !== 'invitation' || !invitedTo.has(room.id),
  )
  const unread = data?.pages[0]?.unread ?? 0
  return (
    <>
      <PageHead title={t('notificationsPage.title')} icon={<IconBell size={20} aria-hidden />}>
        {unread > 0 && (
          <Button size="xs" variant="default" loading={readAll.isPending} onClick={() => readAll.mutate()}>
            {t('notificationsPage.readAll')}
          </Button>
        )}
      </PageHead>
      <div className={classes['page']}>
        <Invitations />
        {isPending ? (
          <Loader m="auto" />
        ) : list.length === 0 && invitedTo.size === 0 ? (
          <Empty
            icon={<IconBell size={28} aria-hidden />}
            title={t('notificationsPage.none')}
            detail={t('notificationsPage.noneDetail')}
          />
        ) : (
          <ul className={classes['list']}>
            {list.map((one) => (
              <NotificationItem key={one.id} notification={one} />
            ))}
          </ul>
        )}
        {hasNextPage && (
          <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {t('searchPage.more')}
          </Button>
        )}
        <NotificationSettings />
      </div>
    </>
  )
}

function Invitations() {
  const t = useTexts()
  const chat = useChat()
  const navigate = useNavigate()
  const queries = useQueryClient()
  const { data } = useQuery(invitationsQuery)
  const answer = useMutation({
    mutationFn: async ({ id, accept }: { readonly id: string; readonly accept: boolean }) => {
      const { roomId } = await call(
        `POST /v1/chat/invitations/{invitationId}/${accept ? 'accept' : 'decline'}`,
        { params: { invitationId: id } },
      )
      if (!accept) return
      await chat.refresh()
      await navigate(`/chat/rooms/${roomId}`)
    },
    onError: showProblem,
    onSettled: () => queries.invalidateQueries({ queryKey: inboxKey }),
  })
  if (data === undefined || data.length === 0) return null
  return (
    <section>
      <h2 className={classes['title']}>{t('notificationsPage.invitations')}</h2>
      <ul className={classes['list']}>
        {data.map(({ id, room, invitedBy }) => (
          <li key={id} className={classes['entry']}>
            <IconMail size={20} aria-hidden className={classes['icon']} />
            <div className={classes['texts']}>
              <p className={classes['strong']}>
                {t('notificationsPage.invited', { name: nameOf(t, invitedBy), room: room.name })}
              </p>
              {room.description !== null && <p>{room.description}</p>}
            </div>
            <Button
              size="xs"
              variant="default"
              disabled={answer.isPending}
              onClick={() => answer.mutate({ id, accept: false })}
            >
              {t('notificationsPage.decline')}
            </Button>
            <Button size="xs" disabled={answer.isPending} onClick={() => answer.mutate({ id, accept: true })}>
              {t('notificationsPage.accept')}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  )
}

const icons = { mention: IconAt, reply: IconCornerUpLeft, message: IconMessage, invitation: IconMail }

function NotificationItem({ notification }: { readonly notification: Notification }) {
  const t = useTexts()
  const queries = useQueryClient()
  const { id, type, room, messageId, actor, preview, readAt, createdAt } = notification
  const Icon = icons[type]
  const key = room.type === 'direct' && type !== 'invitation' ? (`${type}Direct` as const) : type
  const to = messageId === null ? `/chat/rooms/${room.id}` : `/chat/rooms/${room.id}?message=${messageId}`
  const markRead = useMutation({
    mutationFn: () => call('POST /v1/chat/notifications/read', { body: { ids: [id] } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: inboxKey }),
  })
  return (
    <li className={classes['found']} data-new={readAt === null}>
      <Icon size={20} aria-hidden className={classes['icon']} />
      <div className={classes['texts']}>
        <p className={classes['line']}>
          <Link to={to} className={classes['cover']} onClick={() => readAt === null && markRead.mutate()}>
            {t(`notificationsPage.${key}`, {
              name: nameOf(t, actor),
              room: room.type === 'group' ? t('aGroup') : room.name,
            })}
          </Link>
          <time dateTime={createdAt}>{ago(createdAt)}</time>
          {readAt === null && <span className={classes['new']}>{t('notificationsPage.new')}</span>}
        </p>
        {preview !== null && preview !== '' && <p className={classes['preview']}>{plainText(preview)}</p>}
      </div>
    </li>
  )
}

function NotificationSettings() {
  const t = useTexts()
  const queries = useQueryClient()
  const { data } = useQuery(preferencesQuery)
  const set = useMutation({
    mutationFn: (body: Partial<Preferences>) => call('PATCH /v1/chat/preferences', { body }),
    onSuccess: (preferences) => queries.setQueryData(preferencesQuery.queryKey, preferences),
    onError: showProblem,
  })
  if (data === undefined) return null
  const now = { ...data, ...(set.isPending ? set.variables : {}) }
  return (
    <section className={classes['choices']}>
      <h2 className={classes['title']}>{t('notificationsPage.preferences')}</h2>
      <Stack gap="sm">
        {(['notifyMentions', 'notifyReplies', 'notifyInvitations', 'showPresence'] as const).map((name) => (
          <Switch
            key={name}
            label={t(`notificationsPage.${name}`)}
            checked={now[name]}
            onChange={(event) => set.mutate({ [name]: event.currentTarget.checked })}
          />
        ))}
        <DesktopSwitch />
        <Select
          label={t('notificationsPage.directMessages')}
          maw={320}
          value={now.directMessages}
          allowDeselect={false}
          data={(['everyone', 'shared_rooms', 'nobody'] as const).map((value) => ({
            value,
            label: t(`notificationsPage.${value}`),
          }))}
          onChange={(directMessages) => directMessages !== null && set.mutate({ directMessages })}
        />
      </Stack>
    </section>
  )
}
