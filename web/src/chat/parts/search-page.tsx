import { Button, Loader, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconSearch, IconZoomQuestion } from '@tabler/icons-react'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useSearchParams } from 'react-router'
import { call } from '../../api/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'
import { wordsOf } from '../model/tokens.ts'
import { MessageEntry } from './message-entry.tsx'
import { Empty, PageHead } from './page-head.tsx'
import classes from './pages.module.css'
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
  const rooms = useObserved(useChat().rooms)
  const isSealed = filters.room !== null && rooms?.get(filters.room)?.isEncrypted === true
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
    enabled: q !== '' && !isSealed,
    placeholderData: keepPreviousData,
  })
  const isFiltered = Object.values(filters).some((value) => value !== null && value !== false)
  const found = q === '' || isSealed ? undefined : data?.pages.flatMap(({ messages }) => messages)
  const encryptedRooms = filters.room === null ? (data?.pages[0]?.encryptedRooms ?? 0) : 0
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
            {t(
              isSealed
                ? 'searchPage.encryptedRoom'
                : isFiltered
                  ? 'searchPage.wordsNeeded'
                  : 'searchPage.hint',
            )}
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
                <MessageEntry key={message.id} message={message} words={wordsOf(q)} />
              ))}
            </ul>
            {hasNextPage && (
              <Button variant="default" loading={isFetching} onClick={() => void fetchNextPage()}>
                {t('searchPage.more')}
              </Button>
            )}
          </>
        )}
        {found !== undefined && encryptedRooms > 0 && (
          <p className={classes['hint']}>{t('searchPage.notSearched', { count: encryptedRooms })}</p>
        )}
      </div>
    </>
  )
}
