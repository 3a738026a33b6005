import type { ResponseOf } from '@akashi/contract'
import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { call, useMay } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { Dialog } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Choice, FilterBar } from '../parts/filter-bar.tsx'
import { useFilters } from '../parts/filters.ts'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag, type Tone } from '../parts/tag.tsx'
import { MakeReport } from './make-report.tsx'
import { monthOf } from './months.ts'

type Report = ResponseOf<'GET /v1/reports'>['reports'][number]

const verdicts = ['fulfilled', 'incomplete', 'not_fulfilled'] as const
export const verdictTones: Readonly<Record<Report['verdict'], Tone>> = {
  fulfilled: 'good',
  incomplete: 'warn',
  not_fulfilled: 'bad',
}

/** Compliance reports, newest month first. */
export function Reports() {
  const t = useTexts()
  const may = useMay()
  const navigate = useNavigate()
  const [filters, change] = useFilters(['verdict', 'month'])
  const [isMaking, setMaking] = useState(false)
  const reports = useQuery({
    queryKey: ['console', 'reports'],
    queryFn: ({ signal }) => call('GET /v1/reports', { signal }),
  })
  const all = reports.data?.reports ?? []
  const rows = all.filter(
    ({ month, verdict }) =>
      (filters.verdict === '' || verdict === filters.verdict) &&
      (filters.month === '' || month === filters.month),
  )
  const isNarrowed = filters.verdict !== '' || filters.month !== ''
  const columns: readonly Column<Report>[] = [
    {
      id: 'month',
      title: t('reports.month'),
      width: 'minmax(8rem, 1fr)',
      cell: ({ month }) => monthOf(month),
    },
    {
      id: 'verdict',
      title: t('reports.verdict'),
      width: '10rem',
      cell: ({ verdict }) => <Tag tone={verdictTones[verdict]}>{t(`reports.verdicts.${verdict}`)}</Tag>,
    },
    {
      id: 'made',
      title: t('reports.made'),
      width: '12rem',
      end: true,
      cell: ({ createdAt }) => moment(createdAt),
    },
    {
      id: 'files',
      title: t('reports.files'),
      width: '6rem',
      end: true,
      cell: ({ files }) => files.length,
    },
  ]
  return (
    <>
      <FilterBar onClear={isNarrowed ? () => change({ verdict: '', month: '' }) : undefined}>
        <Choice
          label={t('reports.verdict')}
          value={filters.verdict}
          options={verdicts.map((value) => ({ value, label: t(`reports.verdicts.${value}`) }))}
          onChange={(verdict) => change({ verdict })}
        />
        <Choice
          label={t('reports.month')}
          value={filters.month}
          options={[...new Set(all.map(({ month }) => month))].map((value) => ({
            value,
            label: monthOf(value),
          }))}
          onChange={(month) => change({ month })}
        />
      </FilterBar>
      <Panel
        title={t('reports.title')}
        lead={t('reports.lead')}
        flush
        actions={
          <>
            {may('reports:write') && (
              <Button size="xs" onClick={() => setMaking(true)}>
                {t('reports.make')}
              </Button>
            )}
            <ExportMenu name="reports" rows={rows} columns={exported} />
            <ShowCommand cli="akashi report list" request="GET /v1/reports" />
          </>
        }
      >
        <Loaded query={reports}>
          {() =>
            rows.length === 0 ? (
              <Empty title={t('reports.none')} detail={t('reports.noneDetail')} />
            ) : (
              <DataTable
                label={t('reports.title')}
                minWidth="38rem"
                columns={columns}
                rows={rows}
                rowKey={({ id }) => id}
                onOpen={({ id }) => void navigate(`/console/operations/reports/${id}`)}
              />
            )
          }
        </Loaded>
      </Panel>
      <Dialog opened={isMaking} onClose={() => setMaking(false)} title={t('reports.make')}>
        <MakeReport onClose={() => setMaking(false)} />
      </Dialog>
    </>
  )
}

const exported = [
  ...(['month', 'verdict', 'createdAt', 'createdBy', 'id'] as const).map((name) => ({
    name,
    value: (report: Report) => report[name],
  })),
  {
    name: 'files',
    value: ({ files }: Report) => files.map(({ name, sha256 }) => `${name} ${sha256}`).join(' '),
  },
]
