import { Button, Text, UnstyledButton } from '@mantine/core'
import { IconChevronRight } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call } from '../api/index.ts'
import { moment } from '../i18n/when.ts'
import classes from './activity.module.css'
import { Heading, Rows, RowsSkeleton, Section, SectionBody } from './section.tsx'
import { nameOfTable } from './table-names.ts'
import { groupRows, type TrailRow, trailRow } from './trail-row.ts'

const PAGE_ROWS = 30

/** The audit trail of the person's own changes. */
export function ActivityPage() {
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
  const entries = data && groupRows(data.pages.flatMap((page) => page.rows.map(trailRow)))
  return (
    <>
      <Heading title={t('account.activity')} lead={t('activity.lead')} />
      <Section>
        {entries === undefined ? (
          <RowsSkeleton rows={8} />
        ) : entries.length === 0 ? (
          <SectionBody>
            <Text c="dimmed">{t('activity.empty')}</Text>
          </SectionBody>
        ) : (
          <Rows>
            {entries.map((rows) => (
              <Entry key={rows[0].id} rows={rows} />
            ))}
          </Rows>
        )}
      </Section>
      {hasNextPage && (
        <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t('common.more')}
        </Button>
      )}
    </>
  )
}

type RowGroup = readonly [TrailRow, ...TrailRow[]]

function Entry({ rows }: { readonly rows: RowGroup }) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const detail = useId()
  const [row] = rows
  const what =
    row.operation === null ? row.action : t(`activity.did.${row.operation}`, { thing: nameOfTable(t, row) })
  return (
    <li className={classes['entry']}>
      <UnstyledButton
        className={classes['summary'] ?? ''}
        aria-expanded={open}
        aria-controls={detail}
        onClick={() => setOpen(!open)}
      >
        <IconChevronRight size={16} aria-hidden className={classes['chevron'] ?? ''} />
        <span className={classes['what']}>
          {what}
          {rows.length > 1 && (
            <span className={classes['fields']}>{t('activity.several', { count: rows.length })}</span>
          )}
        </span>
        <span className={classes['when']}>{moment(row.createdAt)}</span>
      </UnstyledButton>
      <div id={detail} hidden={!open}>
        {open && rows.map((each) => <Detail key={each.id} row={each} />)}
      </div>
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
              <th scope="col">{t('activity.field')}</th>
              <th scope="col">{t('activity.before')}</th>
              <th scope="col">{t('activity.after')}</th>
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
        {row.table !== null && <Fact term={t('activity.table')} value={`${row.schema}.${row.table}`} />}
        {row.ipAddress !== null && <Fact term={t('activity.ipAddress')} value={row.ipAddress} />}
        {row.requestId !== null && <Fact term={t('activity.request')} value={row.requestId} />}
        <Fact term={t('activity.id')} value={row.id} />
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
