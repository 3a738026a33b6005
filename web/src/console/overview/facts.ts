import type { ResponseOf } from '@akashi/contract'
import { useQuery } from '@tanstack/react-query'
import { call, useMay } from '../../api/index.ts'
import { boundsOf } from '../parts/period.ts'
import { approvalsQuery, backupsQuery, drillsQuery, jobsQuery, live, statusQuery } from '../queries.ts'

/** What the overview judges by; what the caller may not read, or is not read yet, is undefined. */
export interface Facts {
  readonly status: ResponseOf<'GET /v1/status'> | undefined
  readonly backups: ResponseOf<'GET /v1/backups'> | undefined
  readonly drills: ResponseOf<'GET /v1/drills'>['drills'] | undefined
  readonly jobs: ResponseOf<'GET /v1/jobs'>['jobs'] | undefined
  readonly approvals: ResponseOf<'GET /v1/approvals'>['approvals'] | undefined
  /** Unhandled events of the last 24 hours with the two highest severities. */
  readonly open: { readonly critical: number; readonly high: number } | undefined
}

export function useFacts(): Facts {
  const may = useMay()
  const status = useQuery({ ...statusQuery, enabled: may('ledger:read') })
  const backups = useQuery({ ...backupsQuery, enabled: may('backup:read') })
  const drills = useQuery({ ...drillsQuery, enabled: may('backup:read') })
  const jobs = useQuery({ ...jobsQuery, enabled: may('jobs:read') })
  const approvals = useQuery({ ...approvalsQuery, enabled: may('approvals:read') })
  const open = useQuery({
    queryKey: ['console', 'open-events'],
    queryFn: ({ signal }) =>
      call('GET /v1/events/timeline', {
        query: { ...boundsOf('24h'), minSeverity: 'high', status: 'open' },
        signal,
      }),
    enabled: may('events:read'),
    ...live,
  })
  return {
    status: status.data,
    backups: backups.data,
    drills: drills.data?.drills,
    jobs: jobs.data?.jobs,
    approvals: approvals.data?.approvals,
    open: open.data && {
      critical: sum(open.data.buckets, 'critical'),
      high: sum(open.data.buckets, 'high'),
    },
  }
}

type Buckets = ResponseOf<'GET /v1/events/timeline'>['buckets']

function sum(buckets: Buckets, severity: string): number {
  return buckets.reduce((total, { severities }) => total + (severities[severity] ?? 0), 0)
}
