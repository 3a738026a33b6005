import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { call, useMay } from '../../api/index.ts'
import { download, showMessage, showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { duration } from '../parts/bytes.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { briefly } from '../parts/exactly.ts'
import { Panel } from '../parts/screen.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import { TimeChart } from '../parts/time-chart.tsx'
import { drillsQuery } from '../queries.ts'

/** How restores went when they were tried, over time. */
export function Drills() {
  const t = useTexts()
  const may = useMay()
  const queries = useQueryClient()
  const drills = useQuery(drillsQuery)
  const start = useMutation({
    mutationFn: () => call('POST /v1/drills', { body: { kind: 'drill' } }),
    onSuccess: async () => {
      showMessage(t('common.requested'))
      await queries.invalidateQueries({ queryKey: ['console', 'drills'] })
    },
    onError: showProblem,
  })
  const list = drills.data?.drills ?? []
  const byTime = [...list].reverse()
  type Drill = (typeof list)[number]
  const columns: readonly Column<Drill>[] = [
    { id: 'when', title: t('audit.when'), width: '10rem', cell: ({ startedAt }) => briefly(startedAt) },
    {
      id: 'kind',
      title: t('backups.kind'),
      width: '9rem',
      cell: ({ kind }) => t(`backups.drillKinds.${kind}`),
    },
    {
      id: 'ok',
      title: t('audit.result'),
      width: '7rem',
      cell: ({ ok }) => <Tag tone={ok ? 'good' : 'bad'}>{t(ok ? 'backups.passed' : 'backups.failed')}</Tag>,
    },
    {
      id: 'target',
      title: t('backups.target'),
      width: 'minmax(9rem, 1fr)',
      cell: ({ target }) => (target === null ? '–' : briefly(target)),
    },
    {
      id: 'rpo',
      title: 'RPO',
      width: '5.5rem',
      end: true,
      cell: ({ rpoSeconds }) => (rpoSeconds === null ? '–' : duration(rpoSeconds)),
    },
    {
      id: 'rto',
      title: 'RTO',
      width: '5.5rem',
      end: true,
      cell: ({ rtoSeconds }) => (rtoSeconds === null ? '–' : duration(rtoSeconds)),
    },
    {
      id: 'report',
      title: t('backups.report'),
      width: '8rem',
      end: true,
      cell: ({ id, note }) => (
        <Button
          variant="subtle"
          size="compact-xs"
          onClick={() => download(`drill-${id}.note`, 'text/plain', note)}
        >
          {t('backups.signed')}
        </Button>
      ),
    },
  ]
  return (
    <>
      <Panel
        title={t('backups.overTime')}
        lead={t('backups.overTimeLead')}
        actions={
          may('backup:write') && (
            <Button size="xs" loading={start.isPending} onClick={() => start.mutate()}>
              {t('backups.startDrill')}
            </Button>
          )
        }
      >
        <Loaded query={drills}>
          {() =>
            list.length === 0 ? (
              <Empty title={t('overview.deduct.noDrill')} detail={t('backups.noDrillDetail')} />
            ) : (
              <TimeChart
                label={t('backups.overTime')}
                kind="lines"
                format={duration}
                times={byTime.map(({ startedAt }) => Date.parse(startedAt))}
                series={[
                  { name: 'RPO', color: '--chart-1', values: byTime.map(({ rpoSeconds }) => rpoSeconds) },
                  { name: 'RTO', color: '--chart-2', values: byTime.map(({ rtoSeconds }) => rtoSeconds) },
                ]}
              />
            )
          }
        </Loaded>
      </Panel>
      {list.length > 0 && (
        <Panel title={t('backups.drills')} flush>
          <DataTable
            label={t('backups.drills')}
            minWidth="56rem"
            columns={columns}
            rows={list}
            rowKey={({ id }) => id}
          />
        </Panel>
      )}
    </>
  )
}
