import { Button, Menu } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { call, useMay } from '../../api/index.ts'
import { showMessage, showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { bytes } from '../parts/bytes.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { briefly } from '../parts/exactly.ts'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Panel } from '../parts/screen.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import { backupsQuery } from '../queries.ts'

/** The backups in the object store, and how to request another. */
export function BackupList() {
  const t = useTexts()
  const may = useMay()
  const queries = useQueryClient()
  const backups = useQuery(backupsQuery)
  const request = useMutation({
    mutationFn: (kind: 'full' | 'incremental' | 'audit-copy') => call('POST /v1/backups', { body: { kind } }),
    onSuccess: async () => {
      showMessage(t('common.requested'))
      await queries.invalidateQueries({ queryKey: ['console'] })
    },
    onError: showProblem,
  })
  const list = [...(backups.data?.backups ?? [])].reverse()
  type Backup = (typeof list)[number]
  const columns: readonly Column<Backup>[] = [
    { id: 'id', title: t('backups.id'), width: 'minmax(15rem, 2fr)', cell: ({ id }) => id },
    {
      id: 'kind',
      title: t('backups.kind'),
      width: '8rem',
      cell: ({ kind }) => <Tag tone="info">{t(`backups.of.${kind}`)}</Tag>,
    },
    {
      id: 'stored',
      title: t('backups.stored'),
      width: '7rem',
      end: true,
      cell: ({ stored }) => bytes(stored),
    },
    {
      id: 'size',
      title: t('backups.size'),
      width: '7rem',
      end: true,
      cell: ({ bytes: size }) => bytes(size),
    },
    {
      id: 'when',
      title: t('audit.when'),
      width: '11rem',
      end: true,
      cell: ({ stoppedAt }) => briefly(stoppedAt),
    },
  ]
  return (
    <Panel
      title={t('nav.backups')}
      flush
      actions={
        <>
          <ExportMenu
            name="backups"
            rows={list}
            columns={(
              [
                'id',
                'kind',
                'parent',
                'startedAt',
                'stoppedAt',
                'bytes',
                'stored',
                'startLsn',
                'endLsn',
              ] as const
            ).map((name) => ({ name, value: (row: Backup) => row[name] }))}
          />
          {may('backup:write') && (
            <Menu position="bottom-end" withinPortal>
              <Menu.Target>
                <Button size="xs" loading={request.isPending}>
                  {t('backups.take')}
                </Button>
              </Menu.Target>
              <Menu.Dropdown>
                {(['full', 'incremental', 'audit-copy'] as const).map((kind) => (
                  <Menu.Item key={kind} onClick={() => request.mutate(kind)}>
                    {t(`backups.of.${kind}`)}
                  </Menu.Item>
                ))}
              </Menu.Dropdown>
            </Menu>
          )}
        </>
      }
    >
      <Loaded query={backups}>
        {({ problems }) => (
          <>
            {problems.map(({ object, detail }) => (
              <p key={object} role="alert">
                {object}: {detail}
              </p>
            ))}
            {list.length === 0 ? (
              <Empty title={t('overview.recoverable.no')} detail={t('overview.recoverable.noWhy')} />
            ) : (
              <DataTable label={t('nav.backups')} columns={columns} rows={list} rowKey={({ id }) => id} />
            )}
          </>
        )}
      </Loaded>
    </Panel>
  )
}
