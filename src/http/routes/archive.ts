import { given, parseTableName } from '../../foundation/index.ts'
import {
  archiveStatus,
  copyStatus,
  holdTable,
  listCopyPolicies,
  listPolicies,
  planArchive,
  setCopyPolicy,
  setPolicy,
  tenantUsage,
  thawArchive,
} from '../../lifecycle/index.ts'
import { runNow } from '../../operations/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** The archive: its contents, what is due, and legal holds. Restoring is possible only on the command line. */
export function archiveRoutes(app: App, { securityAdmin, worker, store }: Services): void {
  operation(app, 'GET /v1/archive', {
    access: { permission: 'archive:read' },
    handle: async ({ actor }) => ({ exports: await archiveStatus(securityAdmin, actor) }),
  })
  operation(app, 'GET /v1/archive/plan', {
    access: { permission: 'archive:read' },
    handle: async ({ query, actor }) => ({
      tables: await planArchive(securityAdmin, actor, given(query)),
    }),
  })
  operation(app, 'POST /v1/archive/runs', {
    access: { permission: 'archive:write', stepUp: true },
    handle: async ({ actor }) => {
      await runNow(securityAdmin, actor, 'archive-export')
      return { requestedAt: await runNow(securityAdmin, actor, 'archive-expire') }
    },
  })
  operation(app, 'PUT /v1/archive/holds/{table}', {
    access: { permission: 'lifecycle:admin', stepUp: true, reason: true },
    handle: async (request) => {
      const { table } = request.params
      const { held, reason } = request.body
      await holdTable(securityAdmin, request.actor, { ...parseTableName(table), held, reason })
      return { table, held }
    },
  })
  operation(app, 'GET /v1/archive/policies', {
    access: { permission: 'lifecycle:read' },
    handle: async ({ actor }) => ({ policies: await listPolicies(securityAdmin, actor) }),
  })
  operation(app, 'PATCH /v1/archive/policies/{table}', {
    access: { permission: 'lifecycle:write', stepUp: true, reason: true },
    handle: async ({ params, body, actor }) => {
      const { reason, ...changes } = body
      return await setPolicy(securityAdmin, actor, parseTableName(params.table), changes, reason)
    },
  })
  operation(app, 'GET /v1/archive/copy-policies', {
    access: { permission: 'lifecycle:read' },
    handle: async ({ actor }) => ({ policies: await listCopyPolicies(securityAdmin, actor) }),
  })
  operation(app, 'PUT /v1/archive/copy-policies/{table}', {
    access: { permission: 'lifecycle:write', stepUp: true, reason: true },
    handle: async ({ params, body, actor }) => {
      const { reason, ...change } = body
      return await setCopyPolicy(securityAdmin, actor, parseTableName(params.table), change, reason)
    },
  })
  operation(app, 'GET /v1/archive/copies', {
    access: { permission: 'archive:read' },
    handle: async ({ actor }) => ({ copies: await copyStatus(securityAdmin, actor) }),
  })
  operation(app, 'GET /v1/archive/tenants', {
    access: { permission: 'archive:read' },
    handle: async ({ query, actor }) => ({ tenants: await tenantUsage(worker, actor, given(query)) }),
  })
  operation(app, 'GET /v1/archive/retirement', {
    access: { permission: 'archive:read' },
    handle: async ({ query, actor }) => ({
      tables: await planArchive(securityAdmin, actor, { ...given(query), only: 'retire' }),
    }),
  })
  operation(app, 'POST /v1/archive/thaw', {
    access: { permission: 'archive:write', stepUp: true },
    handle: async ({ body: { table, ...span }, actor }) => ({
      objects: await thawArchive(securityAdmin, actor, store, {
        ...given({ table: table === undefined ? undefined : parseTableName(table), ...span }),
      }),
    }),
  })
}
