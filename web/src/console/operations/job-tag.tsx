import type { ResponseOf } from '@akashi/contract'
import { useTexts } from '../locales/index.ts'
import { Tag } from '../parts/tag.tsx'
import { runTones } from '../run-tones.ts'

export type Job = ResponseOf<'GET /v1/jobs'>['jobs'][number]

/** Whether a job is paused, or how its last run went. */
export function JobTag({ job: { paused, lastRun } }: { readonly job: Job }) {
  const t = useTexts()
  if (paused) return <Tag tone="warn">{t('operations.paused')}</Tag>
  if (lastRun === null) return <Tag>{t('operations.notRun')}</Tag>
  return <Tag tone={runTones[lastRun.state]}>{t(`operations.states.${lastRun.state}`)}</Tag>
}
