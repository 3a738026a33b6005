import { useQuery } from '@tanstack/react-query'
import { useNavigate } from 'react-router'
import { call } from '../../api/index.ts'
import { ago, moment } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { PersonName } from '../parts/person-name.tsx'
import { Panel } from '../parts/screen.tsx'
import { SeverityTag } from '../parts/severity-tag.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { live } from '../queries.ts'

const PAGE_ROWS = 100

/** Findings by whom or what they are about. */
export function Cases() {
  const t = useTexts()
  const navigate = useNavigate()
  const cases = useQuery({
    queryKey: ['console', 'cases'],
    queryFn: ({ signal }) => call('GET /v1/detection/cases', { query: { limit: PAGE_ROWS }, signal }),
    ...live,
  })
  const rows = cases.data?.rows ?? []
  type Case = (typeof rows)[number]
  const columns: readonly Column<Case>[] = [
    {
      id: 'entity',
      title: t('findings.entity'),
      width: 'minmax(12rem, 1.5fr)',
      cell: ({ entity }) => <PersonName of={entity} />,
    },
    {
      id: 'severity',
      title: t('events.severity'),
      width: '6rem',
      cell: (row) => <SeverityTag severity={row.severity} />,
    },
    {
      id: 'rules',
      title: t('findings.rules'),
      width: 'minmax(14rem, 2fr)',
      cell: ({ rules }) => rules.join(', '),
    },
    {
      id: 'open',
      title: t('findings.states.open'),
      width: '5rem',
      end: true,
      cell: ({ open }) => open.toLocaleString(),
    },
    {
      id: 'due',
      title: t('findings.due'),
      width: '9rem',
      end: true,
      cell: ({ dueAt }) => (dueAt === null ? '–' : moment(dueAt)),
    },
    { id: 'last', title: t('findings.last'), width: '9rem', end: true, cell: ({ lastAt }) => ago(lastAt) },
  ]
  return (
    <Panel title={t('findings.cases')} lead={t('findings.casesLead')} flush>
      <Loaded query={cases} rows={6}>
        {() =>
          rows.length === 0 ? (
            <Empty title={t('findings.none')} detail={t('findings.noneDetail')} />
          ) : (
            <DataTable
              label={t('findings.cases')}
              minWidth="60rem"
              columns={columns}
              rows={rows}
              rowKey={({ entity }) => entity}
              onOpen={({ entity }) => void navigate(`/console/findings?entity=${encodeURIComponent(entity)}`)}
            />
          )
        }
      </Loaded>
    </Panel>
  )
}
