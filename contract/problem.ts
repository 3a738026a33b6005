/** Problem details (RFC 9457): the body of every response that is an error, and of refused frames. */
import { z } from 'zod'
import { problemCodes } from './error-codes.ts'

const mistake = z.looseObject({
  in: z.enum(['params', 'querystring', 'headers', 'body']).optional(),
  pointer: z.string().optional().describe('JSON pointer into that part of the request'),
  detail: z.string().optional(),
  fault: z.string().optional().describe('what a new password lacks, for programs'),
})
export type Mistake = z.infer<typeof mistake>

export const problemDetails = z.looseObject({
  type: z.string().describe('urn:akashi:error:<code>'),
  code: z.enum(problemCodes).describe('for programs'),
  title: z.string().describe('one line, the same for every problem of this code'),
  status: z.int(),
  detail: z.string().describe('what happened'),
  hint: z.string().optional().describe('how to fix it'),
  reason: z.string().optional().describe('for programs, if one code has several reasons'),
  errors: z.array(mistake).readonly().optional().describe('every mistake in the request'),
  instance: z.string().describe('the id of the request'),
})
export type ProblemDetails = z.infer<typeof problemDetails>
