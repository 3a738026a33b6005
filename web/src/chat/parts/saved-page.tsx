import { ActionIcon, Button, Loader, Tooltip } from '@mantine/core'
import { IconBookmark, IconBookmarkOff } from '@tabler/icons-react'
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import { call } from '../../api/index.ts'
import { showProblem } from '../../ui/index.ts'
import { savedKey } from '../client/queries.ts'
import { useTexts } from '../locales/index.ts'
import { MessageEntry } from './message-entry.tsx'
import { Empty, PageHead } from './page-head.tsx'
import classes from './pages.module.css'

/** Messages that the person saved for later. */
export function SavedPage() {
  const t = useTexts()
  const queries = useQueryClient()
  const { data, isPending, isFetchingNextPage, fetchNextPage, hasNextPage } = useInfiniteQuery({
    queryKey: savedKey,
    queryFn: ({ signal, pageParam }) =>
      call('GET /v1/chat/saved', {
        query: { limit: 30, ...(pageParam === null ? {} : { cursor: pageParam }) },
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  })
  const remove = useMutation({
    mutationFn: (messageId: string) =>
      call('DELETE /v1/chat/messages/{messageId}/saved', { params: { messageId } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: savedKey }),
    onError: showProblem,
  })
  const messages = data?.pages.flatMap((page) => page.messages) ?? []
  return (
    <>
      <PageHead title={t('savedPage.title')} icon={<IconBookmark size={20} aria-hidden />} />
      <div className={classes['page']}>
        {isPending ? (
          <Loader m="auto" />
        ) : messages.length === 0 ? (
          <Empty
            icon={<IconBookmark size={28} aria-hidden />}
            title={t('savedPage.none')}
            detail={t('savedPage.noneDetail')}
          />
        ) : (
          <ul className={classes['list']}>
            {messages.map((message) => (
              <MessageEntry key={message.id} message={message}>
                <Tooltip label={t('message.unsave')}>
                  <ActionIcon
                    variant="subtle"
                    color="gray"
                    aria-label={t('message.unsave')}
                    disabled={remove.isPending}
                    onClick={() => remove.mutate(message.id)}
                  >
                    <IconBookmarkOff size={18} />
                  </ActionIcon>
                </Tooltip>
              </MessageEntry>
            ))}
          </ul>
        )}
        {hasNextPage && (
          <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {t('searchPage.more')}
          </Button>
        )}
      </div>
    </>
  )
}
