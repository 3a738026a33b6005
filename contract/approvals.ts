/** What more than one person approves: `/v1/approvals`. */
import { z } from 'zod'
import { byId, created, list, text, time } from './fields.ts'
import type { OperationTable } from './operation.ts'
import { approvalActions } from './vocabulary.ts'

const approval = z.object({
  id: z.string(),
  action: z.enum(approvalActions),
  target: z.string().describe('schema.table, a setting, or the id of a user; empty where there is only one'),
  detail: z.object({ total: z.string().optional(), atExpiry: z.string().optional() }),
  reason: z.string(),
  requestedBy: z.string(),
  requestedAt: time,
  expiresAt: time,
  state: z.enum(['waiting', 'approved', 'used', 'withdrawn', 'expired']),
  people: z.int().describe('how many have to approve'),
  approving: z.int().describe('how many approvals count at present'),
  approvedBy: list(z.string()).describe('ids of users'),
})
export type Approval = z.output<typeof approval>

const target = text(255)
const reason = text(1_000).describe('recorded')
export const newApproval = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('release_hold'), target, reason }),
  z.strictObject({ action: z.literal('retire_rows'), target, reason }),
  z.strictObject({ action: z.literal('erase_person'), target: z.guid(), reason }),
  z.strictObject({ action: z.literal('prune_backups'), reason }),
  z.strictObject({ action: z.literal('lower_approval'), reason }),
  z.strictObject({
    action: z.literal('shorten_retention'),
    target,
    total: text(100).describe('such as 800 days; also approves a longer one'),
    atExpiry: z.enum(['archive', 'retire']).default('retire'),
    reason,
  }),
])
export type NewApproval = z.input<typeof newApproval>

export const approvalOperations = {
  'GET /v1/approvals': {
    summary: 'Requests for approval, newest first',
    response: z.object({ approvals: list(approval) }),
  },
  'POST /v1/approvals': {
    summary: 'Request the approval of others; in a session, the request also counts as the caller’s approval',
    body: newApproval,
    response: created,
    status: 201,
  },
  'POST /v1/approvals/{id}/confirm': { summary: 'Approve somebody else’s request', params: byId },
  'DELETE /v1/approvals/{id}': { summary: 'Withdraw or refuse a request', params: byId },
} as const satisfies OperationTable
