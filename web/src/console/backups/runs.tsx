import { backupTasks } from '@akashi/contract'
import { useQueries } from '@tanstack/react-query'
import { call } from '../../api/index.ts'
import { useTexts } from '../locales/index.ts'
import { duration } from '../parts/bytes.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { briefly } from '../parts/exactly.ts'
import { Panel } from '../parts/screen.tsx'
import { Empty, Placeholder } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import { live } from '../queries.ts'
import { runTones } from '../run-tones.ts'

const RUNS_EACH = 20

/** What the workers did with backups, newest first. */
export function Runs() {
  const t = useTexts()
  const results = useQueries({
    queries: backupTasks.map((task) => ({
      queryKey: ['console', 'backup-runs', task],
      queryFn: async ({ signal }: { signal: AbortSignal }) => {
        const { runs } = await call('GET /v1/backups/runs/{task}', {
          params: { task },
          query: { limit: RUNS_EACH },
          signal,
        })
        return runs.map((run) => ({ ...run, task }))
      },
      ...live,
    })),
  })
  const runs = results
    .flatMap(({ data }) => data ?? [])
    .sort((one, other) => other.startedAt.localeCompare(one.startedAt))
  type Run = (typeof runs)[number]
  const columns: readonly Column<Run>[] = [
    {
      id: 'task',
      title: t('backups.task'),
      width: 'minmax(10rem, 1fr)',
      cell: ({ task }) => t(`backups.tasks.${task}`),
    },
    {
      id: 'state',
      title: t('events.status'),
      width: '7rem',
      cell: ({ state }) => <Tag tone={runTones[state]}>{t(`operations.states.${state}`)}</Tag>,
    },
    {
      id: 'message',
      title: t('operations.message'),
      width: 'minmax(10rem, 2fr)',
      cell: ({ message }) => message ?? '–',
    },
    {
      id: 'took',
      title: t('operations.took'),
      width: '6rem',
      end: true,
      cell: ({ startedAt, finishedAt }) =>
        finishedAt === null ? '…' : duration((Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000),
    },
    {
      id: 'when',
      title: t('audit.when'),
      width: '10rem',
      end: true,
      cell: ({ startedAt }) => briefly(startedAt),
    },
  ]
  return (
    <Panel title={t('backups.runs')} flush>
      {results.some(({ isPending }) => isPending) ? (
        <Placeholder rows={6} />
      ) : runs.length === 0 ? (
        <Empty title={t('backups.noRuns')} />
      ) : (
        <DataTable label={t('backups.runs')} columns={columns} rows={runs} rowKey={({ id }) => id} />
      )}
    </Panel>
  )
}
