/** Evidence files: `/v1/evidence`. */
import { z } from 'zod'
import { reason } from './fields.ts'
import { logColumns } from './log-columns.ts'
import type { OperationTable } from './operation.ts'

const logNames = Object.keys(logColumns) as (keyof typeof logColumns)[]
const evidenceLogs = z
  .array(z.enum(logNames))
  .min(1)
  .max(logNames.length)
  .describe('each needs the permission to read it')
const bound = z.iso.datetime({ offset: true })

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
} as const satisfies OperationTable
