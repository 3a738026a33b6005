/** The checks of this installation, with a score: `/v1/doctor`. */
import { z } from 'zod'
import { list } from './fields.ts'
import type { OperationTable } from './operation.ts'

const check = z.object({
  name: z.string(),
  area: z.enum(['installation', 'record', 'recovery', 'security', 'alarms']),
  ok: z.boolean(),
  detail: z.string().describe('what was found, one line'),
  hint: z.string().nullable().describe('how to fix it, or advice even if it is ok'),
  deduction: z.int().nonnegative().describe('points deducted from the score'),
})

export const diagnosis = z.object({
  ok: z.boolean(),
  score: z.int().min(0).max(100).describe('100 without deductions'),
  checks: list(check),
})
export type Diagnosis = z.output<typeof diagnosis>
export type DiagnosisCheck = z.output<typeof check>

export const doctorOperations = {
  'GET /v1/doctor': {
    summary: 'Check this installation and explain how to fix problems',
    response: diagnosis,
  },
} as const satisfies OperationTable
