import { coverage, exempt, protect, settleLosses, unprotect, unsettledLosses } from '../../audit/index.ts'
import { given } from '../../foundation/index.ts'
import { operation } from '../operation.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Which tables are under audit, and changes that were made without an audit row. */
export function protectionRoutes(app: App, { securityAdmin, administer }: Services): void {
  operation(app, 'GET /v1/audit/coverage', {
    access: { permission: 'ledger:read' },
    handle: async ({ actor }) => ({ tables: await coverage(securityAdmin, actor) }),
  })
  operation(app, 'PUT /v1/audit/protections/{table}', {
    access: { permission: 'ledger:admin', stepUp: true, reason: true },
    handle: ({ actor, params: { table }, body }) => {
      const { reason, digest, omit, subject, ...rest } = body
      const columns = Object.fromEntries([
        ...digest.map((column) => [column, 'digest'] as const),
        ...omit.map((column) => [column, 'omit'] as const),
      ])
      return administer(actor, (owner) =>
        protect(owner, { table, columns, ...rest, ...given({ subject }) }, { actor, reason }),
      )
    },
  })
  operation(app, 'PUT /v1/audit/exemptions/{table}', {
    access: { permission: 'ledger:admin', stepUp: true, reason: true },
    handle: ({ actor, params: { table }, body: { reason } }) =>
      administer(actor, (owner) => exempt(owner, table, reason, { actor, reason })),
  })
  operation(app, 'POST /v1/audit/protections/{table}/end', {
    access: { permission: 'ledger:admin', stepUp: true, reason: true },
    handle: ({ actor, params: { table }, body: { reason } }) =>
      administer(actor, (owner) => unprotect(owner, table, { actor, reason })),
  })
  operation(app, 'GET /v1/audit/losses', {
    access: { permission: 'ledger:read' },
    handle: async ({ actor }) => ({ losses: await unsettledLosses(securityAdmin, actor) }),
  })
  operation(app, 'POST /v1/audit/losses/settle', {
    access: { permission: 'ledger:admin', stepUp: true },
    handle: async ({ actor, body }) => ({
      settled: await settleLosses(securityAdmin, actor, body.explanation),
    }),
  })
}
