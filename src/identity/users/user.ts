/**
 * - user: a person at an identity provider, known by (issuer, subject). The same subject from two issuers
 *   is two users.
 * - personal column: encrypted under the person's key, so that destroying the key erases it everywhere.
 * - blind index: HMAC of a personal value, by which it is found and kept unique.
 */
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import { emailPattern } from './email.ts'

/** Issuer of accounts whose password is kept here. */
export const LOCAL_ISSUER = 'local'

export const accountStatuses = ['active', 'inactive', 'suspended', 'deleted'] as const
export type AccountStatus = (typeof accountStatuses)[number]

export const classifications = ['public', 'internal', 'confidential', 'restricted'] as const
export type Classification = (typeof classifications)[number]

/** Times are RFC 3339 in UTC with six digits of a second. */
export interface User {
  readonly id: string
  readonly issuer: string
  /** null when the person was erased. */
  readonly subject: string | null
  readonly username: string
  /** null means the username. */
  readonly displayName: string | null
  /** null when the person was erased. */
  readonly email: string | null
  readonly avatarUrl: string | null
  readonly status: AccountStatus
  readonly classification: Classification
  readonly tenantId: string | null
  readonly complianceTags: Readonly<Record<string, unknown>>
  readonly lastLoginAt: string | null
  readonly createdAt: string
  readonly updatedAt: string
}

/** Characters, as the columns of S1 3.1 have them. */
const USERNAME_CHARACTERS = { min: 3, max: 50 }
const DISPLAY_NAME_CHARACTERS = 100
const NAME_CHARACTERS = 255
const AVATAR_URL_CHARACTERS = 2048

const username = z.string().min(USERNAME_CHARACTERS.min).max(USERNAME_CHARACTERS.max)
const displayName = z.string().min(1).max(DISPLAY_NAME_CHARACTERS).nullable()
const email = z.string().max(NAME_CHARACTERS).regex(emailPattern, 'not an e-mail address')
const avatarUrl = z
  .url({ protocol: /^https?$/ })
  .max(AVATAR_URL_CHARACTERS)
  .nullable()
const name = z.string().min(1).max(NAME_CHARACTERS)

export const newUserSchema = z.strictObject({
  issuer: name.default(LOCAL_ISSUER),
  /** Default, for local accounts only: the new user's id. */
  subject: name.optional(),
  username,
  displayName: displayName.default(null),
  email,
  avatarUrl: avatarUrl.default(null),
  status: z.enum(['active', 'inactive', 'suspended']).default('active'),
  classification: z.enum(classifications).default('internal'),
  tenantId: name.nullable().default(null),
  complianceTags: z.record(z.string(), z.unknown()).default({}),
})
export type NewUser = z.input<typeof newUserSchema>

/** What is not given stays as it is. */
export const userChangeSchema = z.strictObject({
  username: username.optional(),
  displayName: displayName.optional(),
  email: email.optional(),
  avatarUrl: avatarUrl.optional(),
})
export type UserChange = z.input<typeof userChangeSchema>

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
