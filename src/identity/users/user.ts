/**
 * - user: a person at an identity provider, identified by (issuer, subject). The same subject of two issuers is two
 *   users.
 * - personal column: encrypted with the person's key, so that destroying the key erases it everywhere.
 * - blind index: HMAC of a personal value, for lookups and uniqueness.
 */
import type { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'

/** @throws invalid_input with the name of every invalid field, but never its value */
export function parseUser<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.map(({ path, message }) => ({ field: path.join('.'), detail: message }))
  throw new AkashiError('invalid_input', `${errors.length} of the user's fields are not valid`, {
    hint: errors.map(({ field, detail }) => `${field}: ${detail}`).join('; '),
    detail: { errors },
  })
}
