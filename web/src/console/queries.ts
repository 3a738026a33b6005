import { queryOptions } from '@tanstack/react-query'
import { call, isAttended } from '../api/index.ts'

/** Milliseconds after which changing data is read again while the page is visible. */
const REFRESH_MS = 15_000
export const live = { refetchInterval: () => (isAttended() ? REFRESH_MS : false) } as const

export const statusQuery = queryOptions({
  queryKey: ['console', 'status'],
  queryFn: ({ signal }) => call('GET /v1/status', { signal }),
  ...live,
})

export const backupsQuery = queryOptions({
  queryKey: ['console', 'backups'],
  queryFn: ({ signal }) => call('GET /v1/backups', { signal }),
  ...live,
})

export const drillsQuery = queryOptions({
  queryKey: ['console', 'drills'],
  queryFn: ({ signal }) => call('GET /v1/drills', { signal }),
  ...live,
})

export const jobsQuery = queryOptions({
  queryKey: ['console', 'jobs'],
  queryFn: ({ signal }) => call('GET /v1/jobs', { signal }),
  ...live,
})

export const approvalsQuery = queryOptions({
  queryKey: ['console', 'approvals'],
  queryFn: ({ signal }) => call('GET /v1/approvals', { signal }),
  ...live,
})

export const ledgerQuery = queryOptions({
  queryKey: ['console', 'ledger'],
  queryFn: ({ signal }) => call('GET /v1/ledger', { signal }),
})
