/**
 * - user: a person at an identity provider, known by (issuer, subject). The same subject from two issuers
 *   is two users.
 * - personal column: encrypted under the person's key, so that destroying the key erases it everywhere.
 * - blind index: HMAC of a personal value, by which it is found and kept unique.
 */
import type { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'

/** `invalid_input` naming every field that does not fit; never its value. */
export function parseUser<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.map(({ path, message }) => ({ field: path.join('.'), detail: message }))
  throw new AkashiError('invalid_input', `${errors.length} of the user's fields cannot be used`, {
    hint: errors.map(({ field, detail }) => `${field}: ${detail}`).join('; '),
    detail: { errors },
  })
}
