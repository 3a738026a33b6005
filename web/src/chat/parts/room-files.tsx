import { Button, Loader } from '@mantine/core'
import { IconFile, IconFiles, IconPhoto } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { call } from '../../api/index.ts'
import { bytes, clockOrDay, nameOf } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { Empty } from './page-head.tsx'
import classes from './pages.module.css'

interface RoomFilesProps {
  readonly roomId: string
  readonly onOpen: () => void
}

/** The files of a room, newest first; each leads to its message. */
export function RoomFiles({ roomId, onOpen }: RoomFilesProps) {
  const t = useTexts()
  const { data, isPending, isFetchingNextPage, fetchNextPage, hasNextPage } = useInfiniteQuery({
    queryKey: ['chat', 'files', roomId],
    queryFn: ({ signal, pageParam }) =>
      call('GET /v1/chat/rooms/{roomId}/files', {
        params: { roomId },
        query: { limit: 40, ...(pageParam === null ? {} : { cursor: pageParam }) },
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  })
  const files = data?.pages.flatMap((page) => page.files) ?? []
  if (isPending) return <Loader m="auto" />
  if (files.length === 0) {
    return (
      <Empty
        icon={<IconFiles size={28} aria-hidden />}
        title={t('details.noFiles')}
        detail={t('details.noFilesDetail')}
      />
    )
  }
  return (
    <>
      <ul className={classes['list']}>
        {files.map((file) => {
          const Icon = file.mimeType.startsWith('image/') ? IconPhoto : IconFile
          return (
            <li key={file.id} className={classes['found']}>
              <Icon size={20} aria-hidden className={classes['icon']} />
              <div className={classes['texts']}>
                <Link
                  to={`/chat/rooms/${roomId}?message=${file.messageId}`}
                  className={classes['cover']}
                  onClick={onOpen}
                >
                  <bdi>{file.name}</bdi>
                </Link>
                <p>
                  <bdi>{nameOf(t, file.sender)}</bdi> · {clockOrDay(file.sentAt)} · {bytes(file.size)}
                </p>
              </div>
            </li>
          )
        })}
      </ul>
      {hasNextPage && (
        <Button mt="sm" variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t('searchPage.more')}
        </Button>
      )}
    </>
  )
}
