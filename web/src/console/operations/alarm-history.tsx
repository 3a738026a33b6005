import { Button } from '@mantine/core'
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { call } from '../../api/index.ts'
import { useTexts } from '../locales/index.ts'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Choice, FilterBar } from '../parts/filter-bar.tsx'
import { useFilters } from '../parts/filters.ts'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { conditionsQuery, titleOf } from './alarm-queries.ts'
import { AlarmTable, alarmExport } from './alarm-table.tsx'

const PAGE_ROWS = 100

/** Alarms that are or were open, newest first. */
export function AlarmHistory() {
  const t = useTexts()
  const [{ condition }, change] = useFilters(['condition'])
  const conditions = useQuery(conditionsQuery)
  const history = useInfiniteQuery({
    queryKey: ['console', 'alarms', 'history', condition],
    queryFn: ({ pageParam, signal }) =>
      call('GET /v1/alarms/history', {
        query: {
          limit: PAGE_ROWS,
          ...(condition === '' ? {} : { condition }),
          ...(pageParam === null ? {} : { cursor: pageParam }),
        },
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    placeholderData: keepPreviousData,
  })
  const rows = history.data?.pages.flatMap((page) => page.rows) ?? []
  const names = conditions.data?.conditions ?? []
  return (
    <>
      <FilterBar onClear={condition === '' ? undefined : () => change({ condition: '' })}>
        <Choice
          label={t('alarms.alarm')}
          value={condition}
          options={names.map(({ name }) => ({ value: name, label: titleOf(names, name) }))}
          onChange={(value) => change({ condition: value })}
        />
      </FilterBar>
      <Panel
        title={t('alarms.views.history')}
        lead={t('alarms.historyLead')}
        flush
        actions={
          <>
            <ExportMenu name="alarm-history" rows={rows} columns={alarmExport} />
            <ShowCommand
              cli={condition === '' ? 'akashi alarms history' : `akashi alarms history ${condition}`}
              request="GET /v1/alarms/history"
            />
          </>
        }
      >
        <Loaded query={history} rows={8}>
          {() =>
            rows.length === 0 ? (
              <Empty title={t('alarms.neverOpen')} />
            ) : (
              <AlarmTable
                rows={rows}
                footer={
                  <>
                    <span>{t('common.rows', { count: rows.length })}</span>
                    {history.hasNextPage && (
                      <Button
                        variant="default"
                        size="xs"
                        loading={history.isFetchingNextPage}
                        onClick={() => void history.fetchNextPage()}
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
    </>
  )
}
