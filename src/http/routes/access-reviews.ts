import {
  decideAccess,
  listAccessReviews,
  listAccessRights,
  openAccessReview,
  readAccessReview,
} from '../../identity/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Who holds which role and key, and the reviews in which people sign that off. */
export function accessReviewRoutes(app: App, { app: database }: Services): void {
  operation(app, 'GET /v1/access-rights', {
    access: { permission: 'roles:read', reads: 'user_role' },
    handle: async ({ actor }) => ({ rights: await listAccessRights(database, actor) }),
  })
  operation(app, 'GET /v1/access-reviews', {
    access: { permission: 'roles:read' },
    handle: async ({ actor }) => ({ reviews: await listAccessReviews(database, actor) }),
  })
  operation(app, 'POST /v1/access-reviews', {
    access: { permission: 'roles:write', stepUp: true },
    handle: async ({ actor }) => ({ id: (await openAccessReview(database, actor)) ?? '' }),
  })
  operation(app, 'GET /v1/access-reviews/{id}', {
    access: { permission: 'roles:read', reads: 'user_role' },
    handle: async ({ actor, params }) => ({ items: await readAccessReview(database, actor, params.id) }),
  })
  operation(app, 'POST /v1/access-reviews/{id}/items/{itemId}', {
    access: { permission: 'roles:write', by: 'session', stepUp: true, reason: true },
    handle: ({ actor, params, body }) =>
      decideAccess(database, actor, { review: params.id, item: params.itemId }, body),
  })
}
