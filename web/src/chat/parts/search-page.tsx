import type { Message } from '@akashi/contract'
import { Button, Loader, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconSearch, IconZoomQuestion } from '@tabler/icons-react'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { Link, useSearchParams } from 'react-router'
import { call } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { clockOrDay, nameOf, roomName } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { wordsOf } from '../model/tokens.ts'
import { MessageText } from './message-text.tsx'
import { Empty, PageHead } from './page-head.tsx'
import classes from './pages.module.css'
import { PersonAvatar } from './person-avatar.tsx'
import { filtersOf, queryOf, SearchFilters } from './search-filters.tsx'

/** Milliseconds without typing before the search starts. */
const TYPING_MS = 250

/** The search is part of the address, so that going back from a message leads to the results. */
export function SearchPage() {
  const t = useTexts()
  const [search, setSearch] = useSearchParams()
  const [words, setWords] = useState(search.get('q') ?? '')
  const [q] = useDebouncedValue(words.trim(), TYPING_MS)
  const filters = filtersOf(search)
  const put = (name: string, value: string | null) =>
    setSearch(
      (now) => {
        const next = new URLSearchParams(now)
        if (value === null || value === '') next.delete(name)
        else next.set(name, value)
        return next
      },
      { replace: true },
    )
  // biome-ignore lint/correctness/useExhaustiveDependencies: only new words change the address
  useEffect(() => put('q', q), [q])
  const { data, isFetching, fetchNextPage, hasNextPage } = useInfiniteQuery({
    queryKey: ['chat', 'search', q, filters],
    queryFn: ({ signal, pageParam }) =>
      call('GET /v1/chat/search', {
        query: {
          q,
          ...queryOf(filters),
          ...(pageParam === null ? {} : { before: pageParam }),
        },
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    enabled: q !== '',
    placeholderData: keepPreviousData,
  })
  const isFiltered = Object.values(filters).some((value) => value !== null && value !== false)
  const found = q === '' ? undefined : data?.pages.flatMap(({ messages }) => messages)
  return (
    <>
      <PageHead title={t('searchPage.title')} icon={<IconSearch size={20} aria-hidden />} />
      <div className={classes['page']}>
        <TextInput
          type="search"
          aria-label={t('searchPage.label')}
          placeholder={t('searchPage.placeholder')}
          value={words}
          maxLength={200}
          autoFocus
          onChange={(event) => setWords(event.currentTarget.value)}
          leftSection={isFetching ? <Loader size={14} /> : <IconSearch size={16} aria-hidden />}
        />
        <SearchFilters filters={filters} onChange={put} />
        {found === undefined ? (
          <p className={classes['hint']} role="status">
            {t(isFiltered ? 'searchPage.wordsNeeded' : 'searchPage.hint')}
          </p>
        ) : found.length === 0 ? (
          <div role="status">
            <Empty
              icon={<IconZoomQuestion size={28} aria-hidden />}
              title={t('searchPage.none', { query: q })}
              detail={t(isFiltered ? 'searchPage.noneFiltered' : 'searchPage.noneDetail')}
            />
          </div>
        ) : (
          <>
            <p className={classes['hint']} role="status">
              {t(hasNextPage ? 'searchPage.moreThan' : 'searchPage.found', { count: found.length })}
            </p>
            <ul className={classes['list']}>
              {found.map((message) => (
                <SearchResult key={message.id} message={message} words={wordsOf(q)} />
              ))}
            </ul>
            {hasNextPage && (
              <Button variant="default" loading={isFetching} onClick={() => void fetchNextPage()}>
                {t('searchPage.more')}
              </Button>
            )}
          </>
        )}
      </div>
    </>
  )
}

function SearchResult({ message, words }: { readonly message: Message; readonly words: readonly string[] }) {
  const t = useTexts()
  const room = useObserved(useChat().rooms)?.get(message.roomId)
  const name = nameOf(t, message.author)
  return (
    <li className={classes['found']}>
      <PersonAvatar person={message.author} size={34} />
      <div className={classes['texts']}>
        <p className={classes['line']}>
          <bdi className={classes['strong']}>{name}</bdi>
          {room !== undefined && <bdi>{roomName(t, room)}</bdi>}
          <Link
            to={`/chat/rooms/${message.roomId}?message=${message.id}`}
            className={classes['cover']}
            aria-label={t('searchPage.jump', { name, time: moment(message.createdAt) })}
          >
            {clockOrDay(message.createdAt)}
          </Link>
        </p>
        <MessageText text={message.content} mentions={[]} words={words} />
        {message.file !== null && <bdi className={classes['count']}>{message.file.name}</bdi>}
      </div>
    </li>
  )
}
