import { severities } from '@akashi/contract'
import { Button } from '@mantine/core'
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { addressOf, call } from '../../api/index.ts'
import { useTexts } from '../locales/index.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { briefly } from '../parts/exactly.ts'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Choice, FilterBar, PeriodSelect, Words } from '../parts/filter-bar.tsx'
import { given, useFilters } from '../parts/filters.ts'
import { boundsOf, periodNamed } from '../parts/period.ts'
import { PersonName } from '../parts/person-name.tsx'
import { Panel, Screen } from '../parts/screen.tsx'
import { SeverityChart } from '../parts/severity-chart.tsx'
import { SeverityTag } from '../parts/severity-tag.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { severityNamed } from '../severities.ts'
import { type EventRow, eventOf, exportColumns } from './event.ts'
import { EventPanel } from './event-panel.tsx'
import { RemediationTag, stateOptions } from './remediation.tsx'

const PAGE_ROWS = 100
const conditions = ['severity', 'status', 'type', 'address'] as const

/** Security events over time, and what is done about each. */
export function Events() {
  const t = useTexts()
  const [filters, change] = useFilters([...conditions, 'text', 'period', 'event'])
  const [now] = useState(() => Date.now())
  const { text, period: chosen, event: openId, ...rest } = filters
  const period = periodNamed(chosen, '7d')
  const { from, to, interval } = boundsOf(period, now)
  const narrowed = { ...given(rest), from, to }
  const timeline = useQuery({
    queryKey: ['console', 'events', 'timeline', narrowed],
    queryFn: ({ signal }) => call('GET /v1/events/timeline', { query: { ...narrowed, interval }, signal }),
    placeholderData: keepPreviousData,
  })
  const events = useInfiniteQuery({
    queryKey: ['console', 'events', narrowed, text],
    queryFn: async ({ pageParam, signal }) => {
      const page = await call('GET /v1/events', {
        query: {
          ...narrowed,
          ...(text === '' ? {} : { text }),
          limit: PAGE_ROWS,
          ...(pageParam === null ? {} : { cursor: pageParam }),
        },
        signal,
      })
      return { rows: page.rows.map(eventOf), next: page.next }
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    placeholderData: keepPreviousData,
  })
  const rows = events.data?.pages.flatMap((page) => page.rows) ?? []
  const isNarrowed = text !== '' || conditions.some((condition) => filters[condition] !== '')
  const columns: readonly Column<EventRow>[] = [
    { id: 'type', title: t('events.type'), width: 'minmax(11rem, 2fr)', cell: ({ type }) => type },
    {
      id: 'severity',
      title: t('events.severity'),
      width: '6rem',
      cell: ({ severity }) => <SeverityTag severity={severityNamed(severity)} />,
    },
    {
      id: 'who',
      title: t('audit.who'),
      width: 'minmax(7rem, 1fr)',
      cell: ({ userName, userId, externalUserId }) => (
        <PersonName of={userName ?? externalUserId ?? userId ?? '–'} />
      ),
    },
    { id: 'from', title: t('audit.from'), width: '7rem', cell: ({ address }) => address ?? '–' },
    {
      id: 'service',
      title: t('events.service'),
      width: 'minmax(6.5rem, 1fr)',
      cell: ({ service }) => service,
    },
    {
      id: 'status',
      title: t('events.status'),
      width: '7rem',
      cell: ({ status }) => <RemediationTag state={status} />,
    },
    {
      id: 'when',
      title: t('audit.when'),
      width: '10rem',
      end: true,
      cell: ({ createdAt }) => briefly(createdAt),
    },
  ]
  return (
    <Screen
      title={t('nav.events')}
      lead={t('events.lead')}
      actions={
        <>
          <ExportMenu name="events" columns={exportColumns} rows={rows} />
          <ShowCommand
            cli={`akashi events search --from ${from}`}
            request={`GET ${addressOf('/v1/events', { params: {}, query: narrowed })}`}
          />
        </>
      }
    >
      <FilterBar
        onClear={
          isNarrowed ? () => change({ severity: '', status: '', type: '', address: '', text: '' }) : undefined
        }
      >
        <PeriodSelect value={period} onChange={(next) => change({ period: next })} />
        <Choice
          label={t('events.severity')}
          value={filters.severity}
          options={severities.map((value) => ({ value, label: t(`severity.${value}`) }))}
          onChange={(severity) => change({ severity })}
        />
        <Choice
          label={t('events.status')}
          value={filters.status}
          options={stateOptions(t)}
          onChange={(status) => change({ status })}
        />
        <Words
          label={t('audit.address')}
          value={filters.address}
          onSearch={(address) => change({ address })}
        />
        <Words label={t('events.text')} value={text} onSearch={(next) => change({ text: next })} />
      </FilterBar>
      <Panel
        title={
          timeline.data === undefined ? t('nav.events') : t('events.count', { count: timeline.data.total })
        }
        lead={t(`period.${period}`)}
      >
        <Loaded query={timeline} rows={5}>
          {(data) => <SeverityChart timeline={data} label={t('events.chart', { count: data.total })} />}
        </Loaded>
      </Panel>
      <Panel flush>
        <Loaded query={events} rows={8}>
          {() =>
            rows.length === 0 && !events.hasNextPage ? (
              <Empty title={t('events.nothing')} detail={t('audit.nothingDetail')} />
            ) : (
              <DataTable
                label={t('nav.events')}
                minWidth="60rem"
                columns={columns}
                rows={rows}
                rowKey={({ id }) => id}
                onOpen={({ id }) => change({ event: id })}
                isOpen={({ id }) => id === openId}
                footer={
                  <>
                    <span>{t('common.rows', { count: rows.length })}</span>
                    {events.hasNextPage && (
                      <Button
                        variant="default"
                        size="xs"
                        loading={events.isFetchingNextPage}
                        onClick={() => void events.fetchNextPage()}
                      >
                        {t('common.more')}
                      </Button>
                    )}
                  </>
                }
              />
            )
          }
        </Loaded>
      </Panel>
      <EventPanel id={openId} onClose={() => change({ event: '' })} />
    </Screen>
  )
}
