import { logNamed } from '../../audit/index.ts'
import { makeEvidence } from '../../evidence/index.ts'
import { requirePermission } from '../../identity/index.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Milliseconds for one file; rows that are far apart in a long log take many reads of its tree. */
const MAKE_TIMEOUT_MS = 110_000

/** Evidence files. */
export function evidenceRoutes(
  app: App,
  { app: database, securityAdmin, keyring, identity }: Services,
): void {
  const parts = { database: securityAdmin, keyring, clock: identity.login.clock }
  operation(app, 'POST /v1/evidence', {
    access: { permission: 'ledger:read', reason: true, reads: '*' },
    handlerTimeout: MAKE_TIMEOUT_MS,
    budget: { requests: 10, seconds: 60 },
    handle: async ({ actor, body }, reply) => {
      for (const log of body.logs) await requirePermission(database, actor, logNamed(log).permission)
      const { name, html } = await makeEvidence(parts, actor, body, callerSignal(reply))
      return reply
        .type('text/html; charset=utf-8')
        .header('content-disposition', `attachment; filename="${name}"`)
        .send(html)
    },
  })
}
