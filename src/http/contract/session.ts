/** Signing in and out: `/v1/session`, `/v1/oidc`. */
import { z } from 'zod'
import { name, password, recoveryCode, time, totp } from './common.ts'

/** What stands between a session and everything else. */
export const pending = z
  .enum(['password_change', 'second_factor'])
  .describe('password_change: PUT /v1/me/password; second_factor: POST /v1/me/mfa')

export const sessionState = z.object({
  userId: z.string(),
  username: z.string(),
  displayName: z.string(),
  tenantId: z.string().nullable(),
  sessionId: z.string(),
  secondFactor: z.boolean().describe('a second factor was shown in this session'),
  authenticatedAt: time.describe('when credentials were last shown'),
  stepUpUntil: time.describe('until when dangerous actions need nothing more'),
  expiresAt: time,
  pending: pending.nullable(),
  permissions: z.array(z.string()).readonly().describe('resource:action'),
})
export type SessionState = z.infer<typeof sessionState>

export const signInRequest = z.union([
  z.strictObject({ login: name.describe('username or e-mail address'), password }),
  z.strictObject({ challenge: z.string().max(4_096).optional(), code: totp }),
  z.strictObject({ challenge: z.string().max(4_096).optional(), recoveryCode }),
])
export type SignInRequest = z.infer<typeof signInRequest>

export const signInResponse = z.discriminatedUnion('step', [
  z.object({ step: z.literal('done'), userId: z.string() }),
  z.object({
    step: z.literal('second_factor'),
    challenge: z.string().describe('to be sent back with the code, within five minutes'),
  }),
])
export type SignInResponse = z.infer<typeof signInResponse>

export const stepUpRequest = z.union([
  z.strictObject({ password }),
  z.strictObject({ code: totp }),
  z.strictObject({ recoveryCode }),
])
export type StepUpRequest = z.infer<typeof stepUpRequest>

export const signInWays = z.object({
  password: z.boolean().describe('whether passwords are taken'),
  providers: z.array(z.object({ name: z.string(), label: z.string(), start: z.string() })).readonly(),
})
export type SignInWays = z.infer<typeof signInWays>
