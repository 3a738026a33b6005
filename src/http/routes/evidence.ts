import { logNamed } from '../../audit/index.ts'
import { createLink, type EvidenceFile, listLinks, makeEvidence, revokeLink } from '../../evidence/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import { requirePermission } from '../../identity/index.ts'
import { sendAttachment } from '../attachment.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

/** Milliseconds for one file; rows that are far apart in a long log take many reads of its tree. */
export const MAKE_TIMEOUT_MS = 110_000

/** Files that are made at once, each of up to a few hundred megabytes of memory. */
const MAX_AT_ONCE = 2
const RETRY_AFTER_S = 5
let running = 0

/** Makes a file when fewer than {@link MAX_AT_ONCE} are being made. @throws AkashiError rate_limited */
export async function makeInTurn(
  ...[parts, actor, query, signal]: Parameters<typeof makeEvidence>
): Promise<EvidenceFile> {
  if (running >= MAX_AT_ONCE) {
    throw new AkashiError('rate_limited', 'other evidence files are being made', {
      hint: `try again after ${RETRY_AFTER_S} s`,
    })
  }
  running += 1
  try {
    return await makeEvidence(parts, actor, query, signal)
  } finally {
    running -= 1
  }
}

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
      const { name, html } = await makeInTurn(parts, actor, body, callerSignal(reply))
      return sendAttachment(reply, { name, type: 'text/html; charset=utf-8' }, html)
    },
  })
  operation(app, 'GET /v1/evidence/links', {
    access: { permission: 'evidence:read' },
    handle: async ({ actor }) => ({ links: await listLinks(database, actor) }),
  })
  operation(app, 'POST /v1/evidence/links', {
    access: { permission: 'evidence:write', by: 'person', stepUp: true, reason: true },
    budget: { requests: 20, seconds: 60 },
    handle: async ({ actor, body }) => {
      const { id, token, expiresAt } = await createLink(database, actor, body)
      return { id, path: `/evidence#${token}`, expiresAt }
    },
  })
  operation(app, 'POST /v1/evidence/links/{id}/revoke', {
    access: { permission: 'evidence:write', reason: true },
    handle: ({ actor, params, body }) => revokeLink(database, actor, params.id, body.reason),
  })
}
