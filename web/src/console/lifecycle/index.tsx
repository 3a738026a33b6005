import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { call, useMay } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import { bytes } from '../parts/bytes.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Panel, Screen } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag, type Tone } from '../parts/tag.tsx'
import { HoldDialog } from './hold-dialog.tsx'
import { days } from './iso-period.ts'
import classes from './lifecycle.module.css'
import { RunButton } from './run-button.tsx'

const policiesKey = ['console', 'retention']

/** How long data stays where, what is due, and what is held. */
export function Lifecycle() {
  const t = useTexts()
  const may = useMay()
  return (
    <Screen
      title={t('nav.lifecycle')}
      lead={t('lifecycle.lead')}
      actions={<ShowCommand cli="akashi archive run --dry-run" request="GET /v1/archive/plan" />}
    >
      {may('lifecycle:read') && <Policies />}
      {may('archive:read') && (
        <>
          <Plan />
          <Archived />
        </>
      )}
    </Screen>
  )
}

function Policies() {
  const t = useTexts()
  const may = useMay()
  const [chosen, setChosen] = useState<{ readonly table: string; readonly held: boolean } | null>(null)
  const policies = useQuery({
    queryKey: policiesKey,
    queryFn: ({ signal }) => call('GET /v1/archive/policies', { signal }),
  })
  const longest = Math.max(
    1,
    ...(policies.data?.policies ?? []).map(({ total, hot }) => Math.max(days(total), days(hot))),
  )
  return (
    <Panel title={t('lifecycle.retention')} lead={t('lifecycle.retentionLead')}>
      <Loaded query={policies}>
        {({ policies: list }) => (
          <ul className={classes['policies']}>
            {list.map(({ table, hot, total, atExpiry, legalHold, shortening }) => (
              <li key={table} className={classes['policy']}>
                <div className={classes['table']}>
                  <b>{table}</b>
                  {legalHold && <Tag tone="warn">{t('lifecycle.held')}</Tag>}
                  {shortening !== null && (
                    <Tag tone="info">
                      {t('lifecycle.shortening', { when: moment(shortening.effectiveAt) })}
                    </Tag>
                  )}
                  {may('lifecycle:admin') && (
                    <Button
                      className={classes['hold'] ?? ''}
                      size="compact-xs"
                      variant="default"
                      onClick={() => setChosen({ table, held: legalHold })}
                    >
                      {t(legalHold ? 'lifecycle.release' : 'lifecycle.hold')}
                    </Button>
                  )}
                </div>
                <div className={classes['bar']} aria-hidden>
                  <span className={classes['hot']} style={{ width: `${(100 * days(hot)) / longest}%` }} />
                  {atExpiry === 'archive' && (
                    <span
                      className={classes['cold']}
                      style={{ width: `${(100 * Math.max(0, days(total) - days(hot))) / longest}%` }}
                    />
                  )}
                </div>
                <div className={classes['words']}>
                  {t(`lifecycle.kept.${atExpiry}`, { hot: days(hot), total: days(total) })}
                </div>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      <HoldDialog chosen={chosen} queryKey={policiesKey} onClose={() => setChosen(null)} />
    </Panel>
  )
}

function Plan() {
  const t = useTexts()
  const may = useMay()
  const plan = useQuery({
    queryKey: ['console', 'archive-plan'],
    queryFn: ({ signal }) => call('GET /v1/archive/plan', { signal }),
  })
  const rows = plan.data?.tables ?? []
  type Due = (typeof rows)[number]
  const tones: Readonly<Record<Due['action'], Tone>> = {
    export: 'info',
    copy: 'info',
    drop: 'warn',
    held: 'warn',
    reattach: 'info',
    retire: 'bad',
  }
  const columns: readonly Column<Due>[] = [
    {
      id: 'partition',
      title: t('lifecycle.partition'),
      width: 'minmax(14rem, 2fr)',
      cell: ({ partition }) => partition,
    },
    {
      id: 'action',
      title: t('lifecycle.action'),
      width: '9rem',
      cell: ({ action }) => <Tag tone={tones[action]}>{t(`lifecycle.actions.${action}`)}</Tag>,
    },
    {
      id: 'rows',
      title: t('lifecycle.rows'),
      width: '7rem',
      end: true,
      cell: ({ rows: count }) => count.toLocaleString(),
    },
    {
      id: 'why',
      title: t('operations.message'),
      width: 'minmax(12rem, 2fr)',
      cell: ({ message }) => message,
    },
  ]
  return (
    <Panel
      title={t('lifecycle.plan')}
      lead={t('lifecycle.planLead')}
      flush
      actions={may('archive:write') && <RunButton disabled={rows.length === 0} />}
    >
      <Loaded query={plan}>
        {() =>
          rows.length === 0 ? (
            <Empty title={t('lifecycle.nothingDue')} detail={t('lifecycle.nothingDueDetail')} />
          ) : (
            <DataTable
              label={t('lifecycle.plan')}
              columns={columns}
              rows={rows}
              rowKey={({ partition, action }) => `${partition} ${action}`}
            />
          )
        }
      </Loaded>
    </Panel>
  )
}

function Archived() {
  const t = useTexts()
  const archive = useQuery({
    queryKey: ['console', 'archive'],
    queryFn: ({ signal }) => call('GET /v1/archive', { signal }),
  })
  const rows = archive.data?.exports ?? []
  type Archive = (typeof rows)[number]
  const tones: Readonly<Record<Archive['state'], Tone>> = {
    exporting: 'info',
    verified: 'good',
    superseded: 'plain',
    detached: 'info',
    dropped: 'good',
    retiring: 'warn',
    retired: 'plain',
  }
  const columns: readonly Column<Archive>[] = [
    {
      id: 'partition',
      title: t('lifecycle.partition'),
      width: 'minmax(14rem, 2fr)',
      cell: ({ partition }) => partition,
    },
    {
      id: 'state',
      title: t('events.status'),
      width: '9rem',
      cell: ({ state }) => <Tag tone={tones[state]}>{t(`lifecycle.states.${state}`)}</Tag>,
    },
    {
      id: 'rows',
      title: t('lifecycle.rows'),
      width: '7rem',
      end: true,
      cell: ({ rows: count }) => count?.toLocaleString() ?? '–',
    },
    {
      id: 'size',
      title: t('backups.stored'),
      width: '7rem',
      end: true,
      cell: ({ bytes: size }) => (size === null ? '–' : bytes(size)),
    },
    {
      id: 'keep',
      title: t('lifecycle.keepUntil'),
      width: '10rem',
      end: true,
      cell: ({ keepUntil }) => (keepUntil === null ? '–' : moment(keepUntil)),
    },
  ]
  return (
    <Panel
      title={t('lifecycle.archive')}
      flush
      actions={
        <ExportMenu
          name="archive"
          rows={rows}
          columns={(
            [
              'schema',
              'table',
              'partition',
              'from',
              'to',
              'state',
              'rows',
              'bytes',
              'fingerprint',
              'keepUntil',
            ] as const
          ).map((name) => ({ name, value: (row: Archive) => row[name] }))}
        />
      }
    >
      <Loaded query={archive}>
        {() =>
          rows.length === 0 ? (
            <Empty title={t('lifecycle.nothingArchived')} detail={t('lifecycle.nothingArchivedDetail')} />
          ) : (
            <DataTable
              label={t('lifecycle.archive')}
              columns={columns}
              rows={rows}
              rowKey={({ manifest }) => manifest}
            />
          )
        }
      </Loaded>
    </Panel>
  )
}
