/** Who holds which role and key, and its quarterly review: `/v1/access-rights`, `/v1/access-reviews`. */
import { z } from 'zod'
import { byId, created, id, list, text, tier, time } from './fields.ts'
import type { OperationTable } from './operation.ts'

const accessKinds = ['user_role', 'service_role', 'api_key'] as const
const accessDecisions = ['keep', 'revoke'] as const

const held = {
  kind: z.enum(accessKinds),
  userId: z.string().nullable(),
  accountId: z.string().nullable().describe('a service account'),
  holder: z.string().nullable().describe('user name, or name of the service account; null once erased'),
  title: z.string().describe('the role, or the beginning and the name of the key'),
  tier,
  grantedAt: time,
  expiresAt: time.nullable(),
  lastUsedAt: time.nullable().describe('of a role: when its holder was last active'),
  givenBy: z.string().nullable().describe('id of a user, or a login of the database'),
}
const right = z.object(held)
export type AccessRight = z.output<typeof right>

const item = z.object({
  id: z.string(),
  ...held,
  ended: z.boolean().describe('nobody holds it any more'),
  decision: z.enum(accessDecisions).nullable(),
  reason: z.string().nullable(),
  decidedAt: time.nullable(),
  decidedBy: z.string().nullable().describe('id of a user'),
  gaveIt: z.boolean().nullable().describe('whether the person who decided had granted it'),
})
export type AccessReviewItem = z.output<typeof item>

const review = z.object({
  id: z.string(),
  openedAt: time,
  openedBy: z.string(),
  dueAt: time,
  items: z.int(),
  kept: z.int(),
  revoked: z.int(),
  ended: z.int().describe('ended before anybody decided'),
  open: z.int(),
  completedAt: time.nullable(),
})
export type AccessReview = z.output<typeof review>

export const accessReviewOperations = {
  'GET /v1/access-rights': {
    summary: 'Who holds which role and key, since when, when last used, granted by whom',
    response: z.object({ rights: list(right) }),
  },
  'GET /v1/access-reviews': {
    summary: 'Reviews of access rights, newest first',
    response: z.object({ reviews: list(review) }),
  },
  'POST /v1/access-reviews': {
    summary: 'Open a review of every role and key currently held',
    response: created,
    status: 201,
  },
  'GET /v1/access-reviews/{id}': {
    summary: 'The rights of a review as they are now, undecided ones first',
    params: byId,
    response: z.object({ items: list(item) }),
  },
  'POST /v1/access-reviews/{id}/items/{itemId}': {
    summary: 'Sign off a right: keep it or revoke it now; never your own',
    params: z.strictObject({ id, itemId: id }),
    body: z.strictObject({
      decision: z.enum(accessDecisions),
      reason: text(1_000).describe('recorded'),
    }),
  },
} as const satisfies OperationTable
