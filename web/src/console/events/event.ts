import { type RemediationState, remediationStates } from '@akashi/contract'
import type { ExportColumn } from '../../ui/index.ts'

/** A security event, whose columns are not in the contract. */
export interface EventRow {
  readonly id: string
  readonly createdAt: string
  readonly type: string
  readonly category: string
  readonly severity: string
  readonly service: string
  readonly description: string | null
  readonly userId: string | null
  readonly userName: string | null
  readonly externalUserId: string | null
  readonly sessionId: string | null
  readonly address: string | null
  readonly userAgent: string | null
  readonly resourceType: string | null
  readonly resourceId: string | null
  readonly action: string | null
  readonly result: string | null
  readonly requestId: string | null
  readonly details: unknown
  readonly status: RemediationState
  readonly notes: string | null
  readonly assignee: string | null
}

/** The server writes each event by one function, whose names these are. */
export function eventOf(row: Readonly<Record<string, unknown>>): EventRow {
  const status = remediationStates.find((state) => state === row['status']) ?? 'open'
  return { ...(row as unknown as EventRow), status }
}

export const exportColumns: readonly ExportColumn<EventRow>[] = (
  [
    'createdAt',
    'type',
    'category',
    'severity',
    'service',
    'description',
    'userId',
    'userName',
    'address',
    'result',
    'status',
    'assignee',
    'notes',
    'requestId',
    'details',
    'id',
  ] as const
).map((name) => ({ name, value: (row) => row[name] }))
