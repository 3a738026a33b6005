import type { z } from 'zod'
import { AkashiError } from './errors.ts'

/** Parses, or throws `invalid_input` with one line that lists every mistake. */
export function parseQuery<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const mistakes = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')} ${message}`,
  )
  throw new AkashiError('invalid_input', `the query is not valid: ${mistakes.join('; ')}`, {
    hint: 'fix each of them and try again',
    detail: { mistakes },
  })
}
