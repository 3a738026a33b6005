import { useQuery } from '@tanstack/react-query'
import { useMay } from '../../api/index.ts'
import { ago, moment } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import { duration } from '../parts/bytes.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Choice, FilterBar, Words } from '../parts/filter-bar.tsx'
import { useFilters } from '../parts/filters.ts'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { jobsQuery } from '../queries.ts'
import { JobPanel } from './job-panel.tsx'
import { type Job, JobTag } from './job-tag.tsx'

/** What the workers do and when, how it went, and how to run or pause it. */
export function Jobs() {
  const t = useTexts()
  const may = useMay()
  const [filters, change] = useFilters(['state', 'text', 'job'])
  const jobs = useQuery(jobsQuery)
  const all = jobs.data?.jobs ?? []
  const rows = all.filter((job) => isOfState(job, filters.state) && hasWords(job, filters.text))
  const isNarrowed = filters.state !== '' || filters.text !== ''
  const columns: readonly Column<Job>[] = [
    { id: 'name', title: t('operations.job'), width: '13rem', cell: ({ name }) => name },
    {
      id: 'what',
      title: t('audit.what'),
      width: 'minmax(14rem, 2fr)',
      cell: ({ description }) => <span title={description}>{description}</span>,
    },
    {
      id: 'state',
      title: t('events.status'),
      width: '7.5rem',
      cell: (job) => <JobTag job={job} />,
    },
    {
      id: 'took',
      title: t('operations.took'),
      width: '5.5rem',
      end: true,
      cell: ({ lastRun }) =>
        lastRun?.finishedAt == null
          ? '–'
          : duration((Date.parse(lastRun.finishedAt) - Date.parse(lastRun.startedAt)) / 1_000),
    },
    {
      id: 'last',
      title: t('operations.lastRun'),
      width: '9rem',
      end: true,
      cell: ({ lastRun }) => (lastRun === null ? t('common.never') : ago(lastRun.startedAt)),
    },
    {
      id: 'next',
      title: t('operations.nextRun'),
      width: '10.5rem',
      end: true,
      cell: ({ nextAt }) => (nextAt === null ? '–' : moment(nextAt)),
    },
  ]
  return (
    <>
      <FilterBar onClear={isNarrowed ? () => change({ state: '', text: '' }) : undefined}>
        <Choice
          label={t('events.status')}
          value={filters.state}
          options={[
            ...(['failed', 'running', 'done'] as const).map((value) => ({
              value,
              label: t(`operations.states.${value}`),
            })),
            { value: 'paused', label: t('operations.paused') },
          ]}
          onChange={(state) => change({ state })}
        />
        <Words label={t('operations.findJob')} value={filters.text} onSearch={(text) => change({ text })} />
      </FilterBar>
      <Panel
        title={t('operations.jobs')}
        lead={t('operations.jobsLead')}
        flush
        actions={
          <>
            <ExportMenu name="jobs" rows={rows} columns={exported} />
            <ShowCommand cli="akashi jobs list" request="GET /v1/jobs" />
          </>
        }
      >
        <Loaded query={jobs} rows={8}>
          {() =>
            rows.length === 0 ? (
              <Empty title={t('operations.noJobs')} />
            ) : (
              <DataTable
                label={t('operations.jobs')}
                minWidth="60rem"
                columns={columns}
                rows={rows}
                rowKey={({ name }) => name}
                onOpen={({ name }) => change({ job: name })}
                isOpen={({ name }) => name === filters.job}
              />
            )
          }
        </Loaded>
      </Panel>
      <JobPanel
        job={all.find(({ name }) => name === filters.job)}
        mayChange={may('jobs:write')}
        onClose={() => change({ job: '' })}
      />
    </>
  )
}

function isOfState({ paused, lastRun }: Job, state: string): boolean {
  if (state === '') return true
  return state === 'paused' ? paused : lastRun?.state === state
}

function hasWords({ name, description }: Job, text: string): boolean {
  return `${name} ${description}`.toLowerCase().includes(text.toLowerCase())
}

const exported = [
  ...(['name', 'description', 'schedule', 'zone', 'paused', 'nextAt', 'owed'] as const).map((name) => ({
    name,
    value: (job: Job) => job[name],
  })),
  { name: 'lastState', value: ({ lastRun }: Job) => lastRun?.state },
  { name: 'lastStartedAt', value: ({ lastRun }: Job) => lastRun?.startedAt },
  { name: 'lastFinishedAt', value: ({ lastRun }: Job) => lastRun?.finishedAt },
  { name: 'lastMessage', value: ({ lastRun }: Job) => lastRun?.message },
]
