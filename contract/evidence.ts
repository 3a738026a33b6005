/** Evidence files: `/v1/evidence`. */
import { z } from 'zod'
import { byId, id, list, reason, time } from './fields.ts'
import { MAX_EVIDENCE_LINK_DAYS, MAX_EVIDENCE_LINK_REPORTS } from './limits.ts'
import { logColumns } from './log-columns.ts'
import type { OperationTable } from './operation.ts'
import { reportFormats, reportLanguages } from './vocabulary.ts'

const logNames = Object.keys(logColumns) as (keyof typeof logColumns)[]
const evidenceLogs = z
  .array(z.enum(logNames))
  .min(1)
  .max(logNames.length)
  .describe('each needs the permission to read it')
const bound = z.iso.datetime({ offset: true })

const link = z.object({
  id: z.string(),
  logs: list(z.string()),
  from: time,
  to: time.describe('exclusive'),
  reports: list(z.string()).describe('ids'),
  reason: z.string(),
  createdAt: time,
  createdBy: z.string().nullable(),
  expiresAt: time,
  revokedAt: time.nullable(),
  revokedBy: z.string().nullable(),
  open: z
    .boolean()
    .describe('it can be read now: neither expired nor revoked, and whoever shared it still may'),
  opened: z.int().describe('how often it was opened'),
  lastOpenedAt: time.nullable(),
})
export type EvidenceLink = z.output<typeof link>

const sharedReport = z.object({ id: z.string(), month: z.string(), verdict: z.string(), createdAt: time })
const scope = z.object({
  logs: list(z.string()),
  from: time,
  to: time.describe('exclusive'),
  reports: list(sharedReport),
  expiresAt: time.describe('when this session ends'),
})
export type EvidenceScope = z.output<typeof scope>

export const evidenceOperations = {
  'POST /v1/evidence': {
    summary: 'Rows of logs in one HTML file that checks itself offline',
    description:
      'Every sealed row of the period, with proofs, checkpoints and cosignatures; at most 10,000 rows.',
    body: z.strictObject({
      logs: evidenceLogs,
      from: bound.describe('rows at or after'),
      to: bound.describe('rows before'),
      reason,
    }),
    response: z.unknown().describe('the file'),
  },
  'GET /v1/evidence/links': {
    summary: 'Evidence links, newest first',
    response: z.object({ links: list(link) }),
  },
  'POST /v1/evidence/links': {
    summary: 'Create a link that shows chosen logs and reports to somebody without an account',
    body: z.strictObject({
      logs: evidenceLogs,
      from: bound,
      to: bound,
      reports: z.array(id).max(MAX_EVIDENCE_LINK_REPORTS).default([]),
      days: z.int().min(1).max(MAX_EVIDENCE_LINK_DAYS).describe('how long it is valid'),
      reason: reason.describe('for whom, and why'),
    }),
    response: z.object({
      id: z.string(),
      path: z.string().describe('of the page, with the token in its fragment; shown only once'),
      expiresAt: time,
    }),
    status: 201,
  },
  'POST /v1/evidence/links/{id}/revoke': {
    summary: 'End an evidence link and its sessions',
    params: byId,
    body: z.strictObject({ reason }),
  },
  'POST /v1/evidence-room/session': {
    summary: 'Open an evidence link: its token for a session of at most an hour',
    description: 'The session is a cookie. A link that is unknown, expired or revoked gets the same answer.',
    body: z.strictObject({ token: z.string().max(100) }),
  },
  'DELETE /v1/evidence-room/session': { summary: 'Leave what an evidence link shows' },
  'GET /v1/evidence-room': {
    summary: 'What the evidence link shows',
    response: scope,
  },
  'GET /v1/evidence-room/file': {
    summary: 'The evidence file of the logs that the link shows',
    response: z.unknown().describe('the file'),
  },
  'GET /v1/evidence-room/reports/{id}/file': {
    summary: 'A compliance report that the link shows',
    params: byId,
    query: z.strictObject({
      format: z.enum(reportFormats).default('html'),
      lang: z.enum(reportLanguages).default('ja'),
    }),
    response: z.unknown().describe('the file'),
  },
} as const satisfies OperationTable
