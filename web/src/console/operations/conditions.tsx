import type { AlarmDefinition } from '@akashi/contract'
import { useQuery } from '@tanstack/react-query'
import { currentLanguage } from '../../i18n/index.ts'
import { useTexts } from '../locales/index.ts'
import { duration } from '../parts/bytes.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ExportMenu } from '../parts/export-menu.tsx'
import { useFilters } from '../parts/filters.ts'
import { Panel } from '../parts/screen.tsx'
import { SeverityTag } from '../parts/severity-tag.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import { conditionsQuery } from './alarm-queries.ts'

/** The conditions that raise alarms, with their limits. */
export function Conditions() {
  const t = useTexts()
  const [filters, change] = useFilters(['condition'])
  const conditions = useQuery(conditionsQuery)
  const language = currentLanguage()
  const columns: readonly Column<AlarmDefinition>[] = [
    {
      id: 'title',
      title: t('alarms.alarm'),
      width: 'minmax(16rem, 2fr)',
      cell: ({ title }) => title[language],
    },
    {
      id: 'severity',
      title: t('events.severity'),
      width: '7rem',
      cell: ({ severity }) => <SeverityTag severity={severity} />,
    },
    {
      id: 'open',
      title: t('alarms.now'),
      width: '8rem',
      cell: ({ open }) => (
        <Tag tone={open === 0 ? 'good' : 'bad'}>
          {open === 0 ? t('alarms.clear') : t('alarms.openCount', { count: open })}
        </Tag>
      ),
    },
    {
      id: 'limit',
      title: t('alarms.limit'),
      width: 'minmax(12rem, 1fr)',
      cell: ({ setting }) => (setting === null ? '–' : <code>{setting}</code>),
    },
    {
      id: 'after',
      title: t('alarms.after'),
      width: '7rem',
      end: true,
      cell: ({ seconds }) => (seconds === 0 ? t('alarms.atOnce') : duration(seconds)),
    },
  ]
  const rows = conditions.data?.conditions ?? []
  return (
    <Panel
      title={t('alarms.views.watched')}
      lead={t('alarms.watchedLead')}
      flush
      actions={
        <>
          <ExportMenu
            name="alarm-conditions"
            rows={rows}
            columns={[
              ...(['name', 'severity', 'setting', 'seconds', 'open', 'runbook'] as const).map((name) => ({
                name,
                value: (row: AlarmDefinition) => row[name],
              })),
              { name: 'title', value: ({ title }: AlarmDefinition) => title[language] },
              { name: 'action', value: ({ action }: AlarmDefinition) => action[language] },
            ]}
          />
          <ShowCommand cli="akashi alarms conditions" request="GET /v1/alarms/conditions" />
        </>
      }
    >
      <Loaded query={conditions} rows={8}>
        {() => (
          <DataTable
            label={t('alarms.views.watched')}
            minWidth="54rem"
            columns={columns}
            rows={rows}
            rowKey={({ name }) => name}
            onOpen={({ name }) => change({ condition: name })}
            isOpen={({ name }) => name === filters.condition}
          />
        )}
      </Loaded>
    </Panel>
  )
}
