import type { Alarm } from '@akashi/contract'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { ago } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { useFilters } from '../parts/filters.ts'
import { SeverityTag } from '../parts/severity-tag.tsx'
import { Tag } from '../parts/tag.tsx'
import { conditionsQuery, stateOf, stateTones, titleOf } from './alarm-queries.ts'

interface AlarmTableProps {
  readonly rows: readonly Alarm[]
  readonly footer?: ReactNode
}

/** Alarms, each of which opens beside the table. */
export function AlarmTable({ rows, footer }: AlarmTableProps) {
  const t = useTexts()
  const [filters, change] = useFilters(['alarm'])
  const conditions = useQuery(conditionsQuery)
  const columns: readonly Column<Alarm>[] = [
    {
      id: 'title',
      title: t('alarms.alarm'),
      width: 'minmax(15rem, 1.5fr)',
      cell: ({ condition }) => titleOf(conditions.data?.conditions, condition),
    },
    {
      id: 'severity',
      title: t('events.severity'),
      width: '6.5rem',
      cell: ({ severity }) => <SeverityTag severity={severity} />,
    },
    {
      id: 'state',
      title: t('events.status'),
      width: '8.5rem',
      cell: (alarm) => <Tag tone={stateTones[stateOf(alarm)]}>{t(`alarms.states.${stateOf(alarm)}`)}</Tag>,
    },
    {
      id: 'subject',
      title: t('alarms.subject'),
      width: 'minmax(8rem, 0.8fr)',
      cell: ({ subject }) => (subject === '' ? '–' : subject),
    },
    {
      id: 'detail',
      title: t('alarms.seen'),
      width: 'minmax(14rem, 2fr)',
      cell: ({ detail }) => (
        <span lang="en" title={detail}>
          {detail}
        </span>
      ),
    },
    {
      id: 'since',
      title: t('alarms.since'),
      width: '9rem',
      end: true,
      cell: ({ beganAt }) => ago(beganAt),
    },
  ]
  return (
    <DataTable
      label={t('alarms.title')}
      minWidth="60rem"
      columns={columns}
      rows={rows}
      rowKey={({ id }) => id}
      onOpen={({ id }) => change({ alarm: id })}
      isOpen={({ id }) => id === filters.alarm}
      footer={footer}
    />
  )
}

export const alarmExport = (
  [
    'id',
    'condition',
    'subject',
    'severity',
    'detail',
    'value',
    'beganAt',
    'openedAt',
    'seenAt',
    'acknowledgedAt',
    'acknowledgedBy',
    'note',
    'clearedAt',
    'silenced',
  ] as const
).map((name) => ({ name, value: (alarm: Alarm) => alarm[name] }))
