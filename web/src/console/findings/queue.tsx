import { findingStates, type ResponseOf, severities } from '@akashi/contract'
import { Button } from '@mantine/core'
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { call } from '../../api/index.ts'
import { ago, dayOf, moment } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Choice, FilterBar, Words } from '../parts/filter-bar.tsx'
import { useFilters } from '../parts/filters.ts'
import { PersonName } from '../parts/person-name.tsx'
import { Panel } from '../parts/screen.tsx'
import { SeverityTag } from '../parts/severity-tag.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { live } from '../queries.ts'
import { FindingPanel } from './finding-panel.tsx'
import { FindingTag, findingOptions } from './finding-state.tsx'

const PAGE_ROWS = 100

type Finding = ResponseOf<'GET /v1/detection/findings'>['rows'][number]

/** Findings that need a verdict, the riskiest first. */
export function Queue() {
  const t = useTexts()
  const [filters, change] = useFilters(['status', 'severity', 'rule', 'entity', 'finding'])
  const status = findingStates.find((state) => state === filters.status)
  const severity = severities.find((each) => each === filters.severity)
  const query = {
    ...(status === undefined ? { active: 'true' as const } : { status }),
    ...(severity === undefined ? {} : { severity }),
    ...(filters.rule === '' ? {} : { rule: filters.rule }),
    ...(filters.entity === '' ? {} : { entity: filters.entity }),
  }
  const findings = useInfiniteQuery({
    queryKey: ['console', 'findings', query],
    queryFn: ({ pageParam, signal }) =>
      call('GET /v1/detection/findings', {
        query: { ...query, limit: PAGE_ROWS, ...(pageParam === null ? {} : { cursor: pageParam }) },
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    placeholderData: keepPreviousData,
    ...live,
  })
  const rows = (findings.data?.pages.flatMap((page) => page.rows) ?? []).sort(byRisk)
  const isNarrowed = [filters.status, filters.severity, filters.rule, filters.entity].some(
    (value) => value !== '',
  )
  const columns: readonly Column<Finding>[] = [
    { id: 'title', title: t('findings.title'), width: 'minmax(13rem, 2.4fr)', cell: ({ title }) => title },
    {
      id: 'severity',
      title: t('events.severity'),
      width: '6rem',
      cell: (row) => <SeverityTag severity={row.severity} />,
    },
    {
      id: 'entity',
      title: t('findings.entity'),
      width: 'minmax(7rem, 1fr)',
      cell: ({ entity }) => <PersonName of={entity} />,
    },
    {
      id: 'events',
      title: t('findings.events'),
      width: '4rem',
      end: true,
      cell: ({ count }) => count.toLocaleString(),
    },
    {
      id: 'status',
      title: t('events.status'),
      width: '7.5rem',
      cell: (row) => <FindingTag state={row.status} />,
    },
    {
      id: 'due',
      title: t('findings.due'),
      width: '7rem',
      end: true,
      cell: ({ dueAt }) => <span title={moment(dueAt)}>{dayOf(dueAt)}</span>,
    },
    { id: 'last', title: t('findings.last'), width: '8rem', end: true, cell: ({ lastAt }) => ago(lastAt) },
  ]
  return (
    <>
      <FilterBar
        onClear={isNarrowed ? () => change({ status: '', severity: '', rule: '', entity: '' }) : undefined}
      >
        <Choice
          label={t('events.status')}
          value={filters.status}
          options={findingOptions(t)}
          onChange={(value) => change({ status: value })}
        />
        <Choice
          label={t('events.severity')}
          value={filters.severity}
          options={severities.map((value) => ({ value, label: t(`severity.${value}`) }))}
          onChange={(value) => change({ severity: value })}
        />
        <Words label={t('findings.rule')} value={filters.rule} onSearch={(rule) => change({ rule })} />
        <Words
          label={t('findings.entity')}
          value={filters.entity}
          onSearch={(entity) => change({ entity })}
        />
      </FilterBar>
      <Panel
        title={t('findings.queue')}
        lead={t('findings.queueLead')}
        flush
        actions={
          <ExportMenu
            name="findings"
            rows={rows}
            columns={(
              [
                'createdAt',
                'rule',
                'title',
                'severity',
                'status',
                'entity',
                'count',
                'firstAt',
                'lastAt',
                'dueAt',
                'assignee',
                'notes',
                'id',
              ] as const
            ).map((name) => ({ name, value: (row: Finding) => row[name] }))}
          />
        }
      >
        <Loaded query={findings} rows={8}>
          {() =>
            rows.length === 0 ? (
              <Empty title={t('findings.none')} detail={t('findings.noneDetail')} />
            ) : (
              <DataTable
                label={t('findings.queue')}
                minWidth="60rem"
                columns={columns}
                rows={rows}
                rowKey={({ id }) => id}
                onOpen={({ id }) => change({ finding: id })}
                isOpen={({ id }) => id === filters.finding}
                footer={
                  <>
                    <span>{t('common.rows', { count: rows.length })}</span>
                    {findings.hasNextPage && (
                      <Button
                        variant="default"
                        size="xs"
                        loading={findings.isFetchingNextPage}
                        onClick={() => void findings.fetchNextPage()}
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
      <FindingPanel id={filters.finding} onClose={() => change({ finding: '' })} />
    </>
  )
}

/** The more severe first, then the one that is due first. */
function byRisk(one: Finding, other: Finding): number {
  return (
    severities.indexOf(other.severity) - severities.indexOf(one.severity) ||
    one.dueAt.localeCompare(other.dueAt)
  )
}
