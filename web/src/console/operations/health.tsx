import { useQuery } from '@tanstack/react-query'
import { call, useMay } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import { bytes, duration } from '../parts/bytes.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { briefly } from '../parts/exactly.ts'
import { Fact, Facts } from '../parts/facts.tsx'
import { Columns, Panel } from '../parts/screen.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import { live, statusQuery } from '../queries.ts'

const PAGE_ROWS = 100

/** The state of sealing, backups, storage and the cross-check, and where the record and the WAL disagree. */
export function Health() {
  const t = useTexts()
  const may = useMay()
  const status = useQuery({ ...statusQuery, enabled: may('ledger:read') })
  return (
    <>
      {may('ledger:read') && (
        <Columns>
          <Panel title={t('operations.record')}>
            <Loaded query={status}>
              {({ logs, frontierHeldSeconds, losses, crosscheck }) => (
                <Facts>
                  <Fact term={t('operations.waiting')}>
                    {logs.reduce((sum, { pending }) => sum + pending, 0).toLocaleString()}
                  </Fact>
                  <Fact term={t('operations.held')}>{duration(frontierHeldSeconds)}</Fact>
                  <Fact term={t('operations.losses')}>
                    <Tag tone={losses === 0 ? 'good' : 'bad'}>{losses.toLocaleString()}</Tag>
                  </Fact>
                  <Fact term={t('proofs.crosscheck')}>
                    <Tag tone={crosscheck.state === 'running' ? 'good' : 'warn'}>
                      {t(`proofs.crosscheckState.${crosscheck.state}`)}
                    </Tag>
                    {crosscheck.lagBytes !== null &&
                      t('operations.behind', { size: bytes(crosscheck.lagBytes) })}
                  </Fact>
                </Facts>
              )}
            </Loaded>
          </Panel>
          <Panel title={t('operations.storage')}>
            <Loaded query={status}>
              {({ backups, disk, ownsObjectStore }) => (
                <Facts>
                  <Fact term={t('operations.stream')}>
                    <Tag tone={backups.streaming ? 'good' : 'warn'}>
                      {t(backups.streaming ? 'operations.streaming' : 'operations.notStreaming')}
                    </Tag>
                    {backups.lagSeconds !== null && duration(backups.lagSeconds)}
                  </Fact>
                  <Fact term={t('operations.disk')}>
                    {disk === null
                      ? t('common.unknown')
                      : t('operations.free', { free: bytes(disk.freeBytes), total: bytes(disk.totalBytes) })}
                  </Fact>
                  <Fact term={t('operations.store')}>
                    <Tag tone={ownsObjectStore ? 'good' : 'bad'}>
                      {t(ownsObjectStore ? 'operations.owned' : 'operations.notOwned')}
                    </Tag>
                  </Fact>
                </Facts>
              )}
            </Loaded>
          </Panel>
          <Panel title={t('operations.partitions')} lead={t('operations.partitionsLead')}>
            <Loaded query={status}>
              {({ partitions }) => (
                <Facts>
                  {partitions.map(({ table, coveredUntil, alarm }) => (
                    <Fact key={table} term={table.split('.').at(-1) ?? table}>
                      <Tag tone={alarm ? 'bad' : 'good'}>
                        {coveredUntil === null ? t('common.none') : moment(coveredUntil)}
                      </Tag>
                    </Fact>
                  ))}
                </Facts>
              )}
            </Loaded>
          </Panel>
        </Columns>
      )}
      {may('audit_logs:read') && <Discrepancies />}
    </>
  )
}

function Discrepancies() {
  const t = useTexts()
  const found = useQuery({
    queryKey: ['console', 'discrepancies'],
    queryFn: ({ signal }) =>
      call('GET /v1/crosscheck/discrepancies', { query: { limit: PAGE_ROWS }, signal }),
    ...live,
  })
  const rows = found.data?.rows ?? []
  type Discrepancy = (typeof rows)[number]
  const columns: readonly Column<Discrepancy>[] = [
    {
      id: 'kind',
      title: t('backups.kind'),
      width: '9rem',
      cell: ({ kind }) => t(`operations.kinds.${kind}`),
    },
    { id: 'table', title: t('audit.table'), width: 'minmax(9rem, 1fr)', cell: ({ table }) => table ?? '–' },
    { id: 'detail', title: t('audit.what'), width: 'minmax(14rem, 2fr)', cell: ({ detail }) => detail },
    { id: 'login', title: t('audit.login'), width: '9rem', cell: ({ login }) => login },
    {
      id: 'when',
      title: t('audit.when'),
      width: '10rem',
      end: true,
      cell: ({ foundAt }) => briefly(foundAt),
    },
  ]
  return (
    <Panel title={t('operations.discrepancies')} lead={t('operations.discrepanciesLead')} flush>
      <Loaded query={found}>
        {() =>
          rows.length === 0 ? (
            <Empty title={t('operations.noDiscrepancies')} />
          ) : (
            <DataTable
              label={t('operations.discrepancies')}
              minWidth="54rem"
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
