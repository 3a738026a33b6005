import { Button } from '@mantine/core'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { call } from '../../api/index.ts'
import type { ExportColumn } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { briefly } from '../parts/exactly.ts'
import { PersonName } from '../parts/person-name.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import { actorOf, type Row, rowOf, sentenceOf } from './row.ts'

const PAGE_ROWS = 100

export type TrailQuery = Readonly<Record<string, string>>

/** Rows of the trail that fit, newest first, a page at a time. */
export function useTrail(query: TrailQuery) {
  return useInfiniteQuery({
    queryKey: ['console', 'trail', query],
    queryFn: async ({ pageParam, signal }) => {
      const page = await call('GET /v1/audit/logs', {
        query: { ...query, limit: PAGE_ROWS, ...(pageParam === null ? {} : { cursor: pageParam }) },
        signal,
      })
      return { rows: page.rows.map(rowOf), next: page.next }
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    placeholderData: keepPreviousData,
  })
}

export const exportColumns: readonly ExportColumn<Row>[] = (
  [
    'createdAt',
    'userId',
    'subject',
    'ipAddress',
    'eventType',
    'action',
    'result',
    'schema',
    'table',
    'recordId',
    'changedFields',
    'oldValues',
    'newValues',
    'requestId',
    'contextVerified',
    'id',
  ] as const
).map((name) => ({ name, value: (row) => row[name] }))

interface TrailTableProps {
  readonly trail: ReturnType<typeof useTrail>
  readonly onOpen: (row: Row) => void
  readonly openId: string
}

export function TrailTable({ trail, onOpen, openId }: TrailTableProps) {
  const t = useTexts()
  const columns: readonly Column<Row>[] = [
    {
      id: 'what',
      title: t('audit.what'),
      width: 'minmax(11rem, 3fr)',
      cell: (row) => <span title={sentenceOf(t, row)}>{sentenceOf(t, row)}</span>,
    },
    {
      id: 'who',
      title: t('audit.who'),
      width: 'minmax(6.5rem, 1fr)',
      cell: (row) => <PersonName of={actorOf(row)} />,
    },
    { id: 'from', title: t('audit.from'), width: '6.5rem', cell: (row) => row.ipAddress ?? '–' },
    {
      id: 'result',
      title: t('audit.result'),
      width: '6.5rem',
      cell: ({ result }) => <Tag tone={result === 'SUCCESS' ? 'good' : 'bad'}>{result}</Tag>,
    },
    { id: 'when', title: t('audit.when'), width: '9.5rem', end: true, cell: (row) => briefly(row.createdAt) },
  ]
  return (
    <Loaded query={trail} rows={8}>
      {({ pages }) => {
        const rows = pages.flatMap((page) => page.rows)
        if (rows.length === 0 && !trail.hasNextPage) {
          return <Empty title={t('audit.nothing')} detail={t('audit.nothingDetail')} />
        }
        return (
          <DataTable
            label={t('nav.audit')}
            minWidth="46rem"
            columns={columns}
            rows={rows}
            rowKey={({ id }) => id}
            onOpen={onOpen}
            isOpen={({ id }) => id === openId}
            footer={
              <>
                <span>{t('common.rows', { count: rows.length })}</span>
                {trail.hasNextPage && (
                  <Button
                    variant="default"
                    size="xs"
                    loading={trail.isFetchingNextPage}
                    onClick={() => void trail.fetchNextPage()}
                  >
                    {t('common.more')}
                  </Button>
                )}
              </>
            }
          />
        )
      }}
    </Loaded>
  )
}
