import { closeSession, type EvidenceParts, openLink, recordLook } from '../../evidence/index.ts'
import { AkashiError } from '../../foundation/index.ts'
import { readSummary } from '../../report/index.ts'
import { sendAttachment } from '../attachment.ts'
import { operation } from '../operation.ts'
import { callerSignal } from '../plugins/caller-signal.ts'
import { scopeOf } from '../plugins/evidence-session.ts'
import { clearCookie, cookieNames, readCookie, writeCookie } from '../plugins/session-cookie.ts'
import { sendReportFile } from '../report-file.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { MAKE_TIMEOUT_MS, makeInTurn } from './evidence.ts'

/** What the trail says of every reading through a link; who the actor is says which link. */
const REASON = 'read through an evidence link'

/** The pages of somebody who has an evidence link and no account. Each reading is recorded under the link. */
export function evidenceRoomRoutes(app: App, services: Services): void {
  const { securityAdmin, keyring, identity } = services
  const parts: EvidenceParts = { database: securityAdmin, keyring, clock: identity.login.clock }
  operation(app, 'POST /v1/evidence-room/session', {
    access: { public: 'anybody' },
    budget: { requests: 20, seconds: 60 },
    handle: async ({ actor, body }, reply) => {
      const { token, expiresAt } = await openLink(identity.login.worker, actor, body.token)
      writeCookie(reply, cookieNames.evidence, token, new Date(expiresAt), 'strict')
    },
  })
  operation(app, 'DELETE /v1/evidence-room/session', {
    access: { link: 'evidence' },
    handle: async (request, reply) => {
      const cookie = readCookie(request, cookieNames.evidence)
      if (cookie !== undefined) await closeSession(identity.login.worker, request.actor, cookie)
      clearCookie(reply, cookieNames.evidence)
    },
  })
  operation(app, 'GET /v1/evidence-room', {
    access: { link: 'evidence', reads: 'evidence_link' },
    handle: async (request) => {
      const { link, reports, ...scope } = scopeOf(request)
      const found = await Promise.all(reports.map((id) => readSummary(securityAdmin, request.actor, id)))
      await recordLook(securityAdmin, request.actor, link)
      return { ...scope, reports: found }
    },
  })
  operation(app, 'GET /v1/evidence-room/file', {
    access: { link: 'evidence', reads: '*' },
    budget: { requests: 30, seconds: 3_600 },
    handlerTimeout: MAKE_TIMEOUT_MS,
    handle: async (request, reply) => {
      const { link, logs, from, to } = scopeOf(request)
      const asked = { link }
      const { name, html } = await makeInTurn(
        parts,
        request.actor,
        { logs, from, to, reason: REASON, asked },
        callerSignal(reply),
      )
      return sendAttachment(reply, { name, type: 'text/html; charset=utf-8' }, html)
    },
  })
  operation(app, 'GET /v1/evidence-room/reports/{id}/file', {
    access: { link: 'evidence', reads: 'compliance_reports' },
    budget: { requests: 60, seconds: 60 },
    handle: async (request, reply) => {
      const { params, query } = request
      if (!scopeOf(request).reports.includes(params.id)) {
        throw new AkashiError('not_found', 'the link does not show this report')
      }
      return await sendReportFile(reply, services, request.actor, params.id, query)
    },
  })
}
