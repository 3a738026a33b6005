import { Button, Collapse, Text, UnstyledButton } from '@mantine/core'
import { IconChevronRight } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call } from '../api/index.ts'
import { moment } from '../i18n/when.ts'
import { Heading, Part, PartBody, Rows, RowsSkeleton } from './part.tsx'
import classes from './record.module.css'
import { type TrailRow, trailRow } from './trail-row.ts'

const PAGE_ROWS = 30

export function RecordPage() {
  const { t } = useTranslation()
  const { data, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: ['me', 'audit'],
    queryFn: ({ pageParam, signal }) =>
      call('GET /v1/me/audit', {
        query: { limit: PAGE_ROWS, ...(pageParam === null ? {} : { cursor: pageParam }) },
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    refetchOnMount: 'always',
  })
  const rows = data?.pages.flatMap((page) => page.rows.map(trailRow))
  return (
    <>
      <Heading title={t('account.record')} lead={t('record.lead')} />
      <Part>
        {rows === undefined ? (
          <RowsSkeleton rows={8} />
        ) : rows.length === 0 ? (
          <PartBody>
            <Text c="dimmed">{t('record.empty')}</Text>
          </PartBody>
        ) : (
          <Rows>
            {rows.map((row) => (
              <Entry key={row.id} row={row} />
            ))}
          </Rows>
        )}
      </Part>
      {hasNextPage && (
        <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t('common.more')}
        </Button>
      )}
    </>
  )
}

function Entry({ row }: { readonly row: TrailRow }) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const detail = useId()
  const what =
    row.operation === null
      ? row.action
      : `${row.schema ?? ''}.${row.table ?? ''} ${t(`record.${row.operation}`)}`
  return (
    <li className={classes['entry']}>
      <UnstyledButton
        className={classes['summary']}
        aria-expanded={open}
        aria-controls={detail}
        onClick={() => setOpen(!open)}
      >
        <IconChevronRight size={16} aria-hidden className={classes['chevron']} />
        <span className={classes['what']}>
          {what}
          {row.fields.length > 0 && <span className={classes['fields']}>{row.fields.join(', ')}</span>}
        </span>
        <span className={classes['when']}>{moment(row.createdAt)}</span>
      </UnstyledButton>
      <Collapse expanded={open} id={detail}>
        {open && <Detail row={row} />}
      </Collapse>
    </li>
  )
}

function Detail({ row }: { readonly row: TrailRow }) {
  const { t } = useTranslation()
  return (
    <div className={classes['detail']}>
      {row.changes.length > 0 && (
        <table className={classes['changes']}>
          <thead>
            <tr>
              <th scope="col">{t('record.field')}</th>
              <th scope="col">{t('record.before')}</th>
              <th scope="col">{t('record.after')}</th>
            </tr>
          </thead>
          <tbody>
            {row.changes.map(({ field, before, after }) => (
              <tr key={field}>
                <th scope="row">{field}</th>
                <td>{before}</td>
                <td>{after}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <dl className={classes['facts']}>
        {row.ipAddress !== null && <Fact term={t('record.where')} value={row.ipAddress} />}
        {row.requestId !== null && <Fact term={t('record.request')} value={row.requestId} />}
        <Fact term={t('record.id')} value={row.id} />
      </dl>
    </div>
  )
}

function Fact({ term, value }: { readonly term: string; readonly value: string }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{value}</dd>
    </div>
  )
}
