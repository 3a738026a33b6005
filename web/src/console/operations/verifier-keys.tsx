import type { ResponseOf } from '@akashi/contract'
import { useQuery } from '@tanstack/react-query'
import { call } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import { CopyText } from '../parts/copy-text.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'

type VerifierKey = ResponseOf<'GET /v1/verifier-keys'>['keys'][number]

/** Public keys with which anybody verifies what this installation signs. */
export function VerifierKeys() {
  const t = useTexts()
  const keys = useQuery({
    queryKey: ['console', 'verifier-keys'],
    queryFn: ({ signal }) => call('GET /v1/verifier-keys', { signal }),
  })
  const rows = keys.data?.keys ?? []
  const columns: readonly Column<VerifierKey>[] = [
    {
      id: 'purpose',
      title: t('keys.verifies'),
      width: '9rem',
      cell: ({ purpose }) => t(`keys.signs.${purpose}`),
    },
    {
      id: 'name',
      title: t('keys.name'),
      width: 'minmax(10rem, 1fr)',
      cell: ({ name }) => <span title={name}>{name.split('/').at(-1)}</span>,
    },
    {
      id: 'key',
      title: t('proofs.key'),
      width: 'minmax(14rem, 1.6fr)',
      cell: ({ key }) => <CopyText text={key} />,
    },
    {
      id: 'state',
      title: t('events.status'),
      width: '8rem',
      cell: ({ active }) => (
        <Tag tone={active ? 'good' : 'plain'}>{t(`keys.states.${active ? 'active' : 'retired'}`)}</Tag>
      ),
    },
    {
      id: 'created',
      title: t('access.created'),
      width: '11rem',
      end: true,
      cell: ({ createdAt }) => moment(createdAt),
    },
  ]
  return (
    <Panel
      title={t('keys.verifierKeys')}
      lead={t('keys.verifierKeysLead')}
      flush
      actions={
        <>
          <ExportMenu
            name="verifier-keys"
            rows={rows}
            columns={(['purpose', 'name', 'key', 'active', 'createdAt'] as const).map((name) => ({
              name,
              value: (key: VerifierKey) => key[name],
            }))}
          />
          <ShowCommand cli="akashi witness policy" request="GET /v1/verifier-keys" />
        </>
      }
    >
      <Loaded query={keys}>
        {() =>
          rows.length === 0 ? (
            <Empty title={t('keys.none')} />
          ) : (
            <DataTable
              label={t('keys.verifierKeys')}
              minWidth="58rem"
              columns={columns}
              rows={rows}
              rowKey={({ key }) => key}
            />
          )
        }
      </Loaded>
    </Panel>
  )
}
