import type { DirectoryRoom } from '@akashi/contract'
import { Button, Loader, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconCompass, IconHash, IconSearch, IconUsers } from '@tabler/icons-react'
import { keepPreviousData, useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useNavigate } from 'react-router'
import { call } from '../../api/index.ts'
import { showProblem } from '../../ui/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'
import { Empty, PageHead } from './page-head.tsx'
import classes from './pages.module.css'

/** Milliseconds without typing before the search starts. */
const TYPING_MS = 200

export function DirectoryPage() {
  const t = useTexts()
  const [words, setWords] = useState('')
  const [q] = useDebouncedValue(words.trim(), TYPING_MS)
  const { data, isFetching, fetchNextPage, hasNextPage } = useInfiniteQuery({
    queryKey: ['chat', 'directory', q],
    queryFn: ({ signal, pageParam }) =>
      call('GET /v1/chat/directory', {
        query: { q, limit: 40, ...(pageParam === null ? {} : { cursor: pageParam }) },
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    placeholderData: keepPreviousData,
  })
  const rooms = data?.pages.flatMap((page) => page.rooms)
  return (
    <>
      <PageHead title={t('directoryPage.title')} icon={<IconCompass size={20} aria-hidden />} />
      <div className={classes['page']}>
        <TextInput
          aria-label={t('directoryPage.find')}
          placeholder={t('directoryPage.find')}
          value={words}
          onChange={(event) => setWords(event.currentTarget.value)}
          leftSection={isFetching ? <Loader size={14} /> : <IconSearch size={16} aria-hidden />}
        />
        {rooms?.length === 0 ? (
          <Empty
            icon={<IconCompass size={28} aria-hidden />}
            title={t(q === '' ? 'directoryPage.empty' : 'directoryPage.none')}
            detail={t(q === '' ? 'directoryPage.emptyDetail' : 'directoryPage.noneDetail')}
          />
        ) : (
          <ul className={classes['list']}>
            {rooms?.map((room) => (
              <DirectoryEntry key={room.id} room={room} />
            ))}
          </ul>
        )}
        {hasNextPage && (
          <Button variant="default" loading={isFetching} onClick={() => void fetchNextPage()}>
            {t('searchPage.more')}
          </Button>
        )}
      </div>
    </>
  )
}

function DirectoryEntry({ room }: { readonly room: DirectoryRoom }) {
  const t = useTexts()
  const chat = useChat()
  const navigate = useNavigate()
  const isMember = useObserved(chat.rooms)?.has(room.id) ?? room.isMember
  const { name } = room
  const join = useMutation({
    mutationFn: async () => {
      await call('POST /v1/chat/rooms/{roomId}/join', { params: { roomId: room.id } })
      await chat.refresh()
    },
    onSuccess: () => void navigate(`/chat/rooms/${room.id}`),
    onError: showProblem,
  })
  return (
    <li className={classes['entry']}>
      <IconHash size={20} aria-hidden className={classes['icon']} />
      <div className={classes['texts']}>
        <h2>
          <bdi>{name}</bdi>
        </h2>
        <p>{room.description ?? t('directoryPage.noDescription')}</p>
        <span className={classes['count']}>
          <IconUsers size={14} aria-hidden />
          {t('room.members', { count: room.memberCount })}
        </span>
      </div>
      {isMember ? (
        <Button
          component={Link}
          to={`/chat/rooms/${room.id}`}
          variant="default"
          size="xs"
          aria-label={t('directoryPage.openLabel', { name })}
        >
          {t('directoryPage.open')}
        </Button>
      ) : (
        <Button
          size="xs"
          loading={join.isPending}
          aria-label={t('directoryPage.joinLabel', { name })}
          onClick={() => join.mutate()}
        >
          {t('directoryPage.join')}
        </Button>
      )}
    </li>
  )
}
