/** Compliance reports: `/v1/reports`. */
import { z } from 'zod'
import { byId, json, list, time } from './fields.ts'
import type { OperationTable } from './operation.ts'
import { reportFormats, reportLanguages } from './vocabulary.ts'

const month = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'a month such as 2026-10')

const report = z.object({
  id: z.string(),
  month: z.string().describe('YYYY-MM, in the time zone of the organisation'),
  verdict: z.enum(['fulfilled', 'incomplete', 'not_fulfilled']),
  createdAt: time,
  createdBy: z.string(),
  files: list(
    z.object({
      name: z.string(),
      sha256: z.string(),
      bytes: z.number().int(),
      object: z.string().describe('key in the object store'),
    }),
  ),
})

export const reportOperations = {
  'GET /v1/reports': {
    summary: 'Compliance reports, newest month first',
    query: z.strictObject({ month: month.optional() }),
    response: z.object({ reports: list(report) }),
  },
  'POST /v1/reports': {
    summary: 'Create a compliance report now',
    description: 'By default for the previous month.',
    body: z.strictObject({ month: month.optional() }),
    response: report,
    status: 201,
  },
  'GET /v1/reports/{id}': {
    summary: 'A compliance report with its evidence and its signed note',
    params: byId,
    response: report.extend({
      document: json.describe('controls and their evidence'),
      note: z.string().describe('signed note over the digests of the files'),
    }),
  },
  'GET /v1/reports/{id}/file': {
    summary: 'A compliance report as a file, as it was signed',
    params: byId,
    query: z.strictObject({
      format: z.enum(reportFormats).default('html'),
      lang: z.enum(reportLanguages).default('ja').describe('JSON has no language'),
    }),
    response: z.unknown().describe('the file'),
  },
} as const satisfies OperationTable
