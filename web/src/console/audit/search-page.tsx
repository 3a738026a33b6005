import { ActionIcon, Tooltip } from '@mantine/core'
import { IconRefresh } from '@tabler/icons-react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { addressOf, call } from '../../api/index.ts'
import { useTexts } from '../locales/index.ts'
import { ExportMenu } from '../parts/export-menu.tsx'
import { FilterBar, PeriodSelect, Words } from '../parts/filter-bar.tsx'
import { given, useFilters } from '../parts/filters.ts'
import { boundsOf, periodNamed } from '../parts/period.ts'
import { Panel, Screen } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Loaded } from '../parts/state.tsx'
import { TimeChart } from '../parts/time-chart.tsx'
import { Facets } from './facets.tsx'
import { OpenRow } from './open-row.tsx'
import classes from './search-page.module.css'
import { exportColumns, TrailTable, useTrail } from './trail-table.tsx'

const conditions = [
  'table',
  'operation',
  'eventType',
  'action',
  'result',
  'userId',
  'address',
  'requestId',
  'dataSubject',
] as const

/** Search in the trail: counts over time, the values that narrow it, and the rows. */
export function SearchPage() {
  const t = useTexts()
  const [filters, change] = useFilters([...conditions, 'text', 'period', 'row'])
  const [now, setNow] = useState(() => Date.now())
  const { text, period: chosen, row: openId, table, ...rest } = filters
  const period = periodNamed(chosen, '24h')
  const { from, to, interval } = boundsOf(period, now)
  const [schema = '', name = ''] = table.split('.')
  const narrowed = { ...given(rest), ...(table === '' ? {} : { schema, table: name }), from, to }
  const trail = useTrail({ ...narrowed, ...(text === '' ? {} : { text }) })
  const counts = useQuery({
    queryKey: ['console', 'counts', narrowed, interval],
    queryFn: ({ signal }) =>
      call('GET /v1/audit/counts', {
        // The address may hold any text, which the server refuses.
        query: { ...narrowed, interval } as { from: string; to: string; interval: typeof interval },
        signal,
      }),
    placeholderData: keepPreviousData,
  })
  const rows = trail.data?.pages.flatMap((page) => page.rows) ?? []
  const isNarrowed = text !== '' || conditions.some((condition) => filters[condition] !== '')
  const clear = () =>
    change({ text: '', ...Object.fromEntries(conditions.map((condition) => [condition, ''])) })
  return (
    <Screen
      title={t('nav.audit')}
      lead={t('audit.lead')}
      actions={
        <>
          <ExportMenu name="audit" columns={exportColumns} rows={rows} />
          <ShowCommand
            cli={`akashi audit search --from ${from}${table === '' ? '' : ` --table ${table}`}`}
            request={`GET ${addressOf('/v1/audit/logs', { query: narrowed })}`}
          />
        </>
      }
    >
      <FilterBar onClear={isNarrowed ? clear : undefined}>
        <PeriodSelect value={period} onChange={(next) => change({ period: next })} />
        <Words label={t('audit.text')} value={text} onSearch={(next) => change({ text: next })} />
        <Words
          label={t('audit.address')}
          value={filters.address}
          onSearch={(next) => change({ address: next })}
        />
        <Tooltip label={t('audit.refresh')}>
          <ActionIcon
            variant="default"
            size="lg"
            aria-label={t('audit.refresh')}
            loading={trail.isRefetching}
            onClick={() => {
              setNow(Date.now())
              void trail.refetch()
              void counts.refetch()
            }}
          >
            <IconRefresh size={17} />
          </ActionIcon>
        </Tooltip>
      </FilterBar>
      <div className={classes['layout']}>
        <aside className={classes['side']} aria-label={t('audit.facets')}>
          <Loaded query={counts} rows={12}>
            {({ facets }) => (
              <Facets
                facets={facets}
                chosen={filters}
                onChoose={(facet, value) => change({ [facet]: value })}
              />
            )}
          </Loaded>
        </aside>
        <div className={classes['main']}>
          <Panel
            title={
              counts.data === undefined ? t('audit.counts') : t('common.rows', { count: counts.data.total })
            }
            lead={counts.data?.complete === false ? t('audit.newestOnly') : t(`period.${period}`)}
          >
            <Loaded query={counts} rows={4}>
              {({ buckets, total }) => (
                <TimeChart
                  label={t('audit.chart', { count: total })}
                  times={buckets.map(({ at }) => Date.parse(at))}
                  series={[
                    {
                      name: t('audit.rowsRecorded'),
                      color: '--chart-1',
                      values: buckets.map(({ count }) => count),
                    },
                  ]}
                  height={150}
                />
              )}
            </Loaded>
          </Panel>
          <Panel flush>
            <TrailTable trail={trail} openId={openId} onOpen={({ id }) => change({ row: id })} />
          </Panel>
        </div>
      </div>
      <OpenRow id={openId} rows={rows} onClose={() => change({ row: '' })} />
    </Screen>
  )
}
