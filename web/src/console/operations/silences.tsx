import type { AlarmSilence } from '@akashi/contract'
import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { call, useMay } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import { conditionsQuery, silencesQuery, titleOf } from './alarm-queries.ts'

/** What is kept from being announced, until when and why. */
export function Silences() {
  const t = useTexts()
  const may = useMay()
  const queries = useQueryClient()
  const silences = useQuery(silencesQuery)
  const conditions = useQuery(conditionsQuery)
  const end = useMutation({
    mutationFn: (id: string) => call('DELETE /v1/alarms/silences/{id}', { params: { id } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['console', 'alarms'] }),
    onError: showProblem,
  })
  const rows = silences.data?.silences ?? []
  const columns: readonly Column<AlarmSilence>[] = [
    {
      id: 'condition',
      title: t('alarms.alarm'),
      width: 'minmax(14rem, 1.4fr)',
      cell: ({ condition }) => titleOf(conditions.data?.conditions, condition),
    },
    {
      id: 'subject',
      title: t('alarms.subject'),
      width: 'minmax(7rem, 0.8fr)',
      cell: ({ subject }) => subject ?? t('common.all'),
    },
    {
      id: 'state',
      title: t('events.status'),
      width: '7rem',
      cell: (silence) => (
        <Tag tone={lasts(silence) ? 'warn' : 'plain'}>
          {t(lasts(silence) ? 'alarms.lasts' : 'alarms.ended')}
        </Tag>
      ),
    },
    {
      id: 'reason',
      title: t('common.reason'),
      width: 'minmax(10rem, 1.5fr)',
      cell: ({ reason }) => <span title={reason}>{reason}</span>,
    },
    {
      id: 'until',
      title: t('alarms.until'),
      width: '11rem',
      end: true,
      cell: ({ until, endedAt }) => moment(endedAt ?? until),
    },
    ...(may('monitoring:write')
      ? [
          {
            id: 'act',
            title: '',
            width: '6rem',
            end: true,
            cell: (silence: AlarmSilence) =>
              lasts(silence) && (
                <Button
                  variant="default"
                  size="compact-xs"
                  loading={end.isPending && end.variables === silence.id}
                  onClick={() => end.mutate(silence.id)}
                >
                  {t('alarms.end')}
                </Button>
              ),
          },
        ]
      : []),
  ]
  return (
    <Panel
      title={t('alarms.views.silences')}
      lead={t('alarms.silencesLead')}
      flush
      actions={
        <>
          <ExportMenu
            name="silences"
            rows={rows}
            columns={(
              [
                'id',
                'condition',
                'subject',
                'reason',
                'createdAt',
                'createdBy',
                'until',
                'endedAt',
                'endedBy',
              ] as const
            ).map((name) => ({ name, value: (silence: AlarmSilence) => silence[name] }))}
          />
          <ShowCommand cli="akashi alarms silences" request="GET /v1/alarms/silences" />
        </>
      }
    >
      <Loaded query={silences}>
        {() =>
          rows.length === 0 ? (
            <Empty title={t('alarms.noSilences')} detail={t('alarms.noSilencesDetail')} />
          ) : (
            <DataTable
              label={t('alarms.views.silences')}
              minWidth="58rem"
              columns={columns}
              rows={rows}
              rowKey={({ id }) => id}
            />
          )
        }
      </Loaded>
    </Panel>
  )
}

function lasts({ endedAt, until }: AlarmSilence): boolean {
  return endedAt === null && Date.parse(until) > Date.now()
}
