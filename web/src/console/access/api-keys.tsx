import { useQuery } from '@tanstack/react-query'
import { call } from '../../api/index.ts'
import { ago, moment } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'

/** Keys of programs: whose they are, what they may do, when they were used. */
export function ApiKeys() {
  const t = useTexts()
  const keys = useQuery({
    queryKey: ['console', 'api-keys'],
    queryFn: ({ signal }) => call('GET /v1/api-keys', { signal }),
  })
  const rows = keys.data?.keys ?? []
  type Key = (typeof rows)[number]
  const columns: readonly Column<Key>[] = [
    { id: 'name', title: t('access.name'), width: 'minmax(10rem, 1fr)', cell: ({ name }) => name },
    { id: 'prefix', title: t('access.prefix'), width: '10rem', cell: ({ prefix }) => <code>{prefix}</code> },
    {
      id: 'scopes',
      title: t('access.scopes'),
      width: 'minmax(12rem, 1.6fr)',
      cell: ({ scopes }) => scopes.join(', ') || '–',
    },
    {
      id: 'active',
      title: t('access.status'),
      width: '6.5rem',
      cell: ({ isActive }) => (
        <Tag tone={isActive ? 'good' : 'plain'}>{t(isActive ? 'access.inForce' : 'access.ended')}</Tag>
      ),
    },
    {
      id: 'used',
      title: t('access.lastUsed'),
      width: '9rem',
      end: true,
      cell: ({ lastUsedAt }) => (lastUsedAt === null ? t('common.never') : ago(lastUsedAt)),
    },
    {
      id: 'until',
      title: t('access.expires'),
      width: '9rem',
      end: true,
      cell: ({ expiresAt }) => (expiresAt === null ? t('common.never') : moment(expiresAt)),
    },
  ]
  return (
    <Panel
      title={t('access.keys')}
      flush
      actions={
        <>
          <ExportMenu
            name="api-keys"
            rows={rows}
            columns={(
              [
                'name',
                'prefix',
                'serviceName',
                'tier',
                'scopes',
                'userId',
                'serviceAccountId',
                'isActive',
                'lastUsedAt',
                'expiresAt',
                'createdAt',
                'id',
              ] as const
            ).map((name) => ({ name, value: (row: Key) => row[name] }))}
          />
          <ShowCommand cli="akashi apikeys list" request="GET /v1/api-keys" />
        </>
      }
    >
      <Loaded query={keys}>
        {() =>
          rows.length === 0 ? (
            <Empty title={t('access.noKeys')} />
          ) : (
            <DataTable
              label={t('access.keys')}
              minWidth="62rem"
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
