import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { Dialog, SidePanel, showMessage, showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { duration } from '../parts/bytes.ts'
import { briefly } from '../parts/exactly.ts'
import { Fact, Facts } from '../parts/facts.tsx'
import { ReasonForm } from '../parts/reason-form.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import { jobsQuery, live } from '../queries.ts'
import { runTones } from '../run-tones.ts'
import { type Job, JobTag } from './job-tag.tsx'
import classes from './panel.module.css'

interface JobPanelProps {
  /** Undefined: none is open. */
  readonly job: Job | undefined
  readonly mayChange: boolean
  readonly onClose: () => void
}

/** A job: when it runs, how its runs went, and how to run or pause it. */
export function JobPanel({ job, mayChange, onClose }: JobPanelProps) {
  return (
    <SidePanel opened={job !== undefined} onClose={onClose} size="lg" title={job?.name ?? ''}>
      {job !== undefined && <Details job={job} mayChange={mayChange} />}
    </SidePanel>
  )
}

function Details({ job, mayChange }: { readonly job: Job; readonly mayChange: boolean }) {
  const t = useTexts()
  const queries = useQueryClient()
  const [asked, setAsked] = useState<'run' | 'pause' | null>(null)
  const change = useMutation({
    mutationFn: async (reason: string) => {
      const params = { job: job.name }
      if (asked === 'pause') {
        await call('PATCH /v1/jobs/{job}', { params, body: { paused: !job.paused, reason } })
        return
      }
      await call('POST /v1/jobs/{job}/runs', { params, body: { reason } })
      showMessage(t('common.requested'))
    },
    onSuccess: async () => {
      setAsked(null)
      await queries.invalidateQueries({ queryKey: jobsQuery.queryKey })
    },
    onError: showProblem,
  })
  const pause = t(job.paused ? 'operations.resume' : 'operations.pause')
  return (
    <div className={classes['panel']}>
      <p className={classes['text']}>{job.description}</p>
      <div className={classes['actions']}>
        {mayChange && (
          <>
            <Button size="xs" onClick={() => setAsked('run')}>
              {t('operations.runNow')}
            </Button>
            <Button size="xs" variant="default" onClick={() => setAsked('pause')}>
              {pause}
            </Button>
          </>
        )}
        <ShowCommand
          cli={mayChange ? `akashi jobs run ${job.name}` : `akashi jobs history ${job.name}`}
          request={mayChange ? `POST /v1/jobs/${job.name}/runs` : `GET /v1/jobs/${job.name}/runs`}
        />
      </div>
      <Facts>
        <Fact term={t('events.status')}>
          <JobTag job={job} />
          {job.owed && <Tag tone="warn">{t('operations.owed')}</Tag>}
        </Fact>
        <Fact term={t('operations.schedule')}>
          <code>{job.schedule}</code> {job.zone}
        </Fact>
        <Fact term={t('operations.nextRun')}>{job.nextAt === null ? '–' : moment(job.nextAt)}</Fact>
        <Fact term={t('operations.timeout')}>{duration(job.timeoutSeconds)}</Fact>
        {job.requestedAt !== null && (
          <Fact term={t('operations.requestedAt')}>{moment(job.requestedAt)}</Fact>
        )}
      </Facts>
      <Runs job={job.name} />
      <Dialog
        opened={asked !== null}
        onClose={() => setAsked(null)}
        title={
          asked === 'run'
            ? t('operations.runJob', { job: job.name })
            : t(job.paused ? 'operations.resumeJob' : 'operations.pauseJob', { job: job.name })
        }
      >
        <ReasonForm
          action={asked === 'run' ? t('operations.runNow') : pause}
          isPending={change.isPending}
          onSubmit={change.mutate}
          onCancel={() => setAsked(null)}
        />
      </Dialog>
    </div>
  )
}

function Runs({ job }: { readonly job: string }) {
  const t = useTexts()
  const runs = useQuery({
    queryKey: ['console', 'job-runs', job],
    queryFn: ({ signal }) => call('GET /v1/jobs/{job}/runs', { params: { job }, signal }),
    ...live,
  })
  return (
    <section aria-label={t('operations.history')}>
      <h3 className={classes['heading']}>{t('operations.history')}</h3>
      <Loaded query={runs}>
        {({ runs: list }) =>
          list.length === 0 ? (
            <Empty title={t('backups.noRuns')} />
          ) : (
            <ol className={classes['list']}>
              {list.map((run) => (
                <li key={run.id}>
                  <div className={classes['line']}>
                    <Tag tone={runTones[run.state]}>{t(`operations.states.${run.state}`)}</Tag>
                    <time dateTime={run.startedAt}>{briefly(run.startedAt)}</time>
                    <span className={classes['end']}>
                      {run.finishedAt === null
                        ? typeof run.progress?.['phase'] === 'string'
                          ? run.progress['phase']
                          : '…'
                        : duration((Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1_000)}
                    </span>
                  </div>
                  {run.message !== null && <div className={classes['muted']}>{run.message}</div>}
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
    </section>
  )
}
