/** What users see and change of themselves: `/v1/me`. */
import { z } from 'zod'
import { password, time, totp } from './common.ts'

export const profile = z.object({
  id: z.string(),
  issuer: z.string().describe('local, or the identity provider'),
  username: z.string(),
  displayName: z.string().nullable().describe('null means the username'),
  email: z.string().nullable(),
  avatarUrl: z.string().nullable(),
  tenantId: z.string().nullable(),
  createdAt: time,
  lastLoginAt: time.nullable(),
})
export type Profile = z.infer<typeof profile>

export const profileChange = z.strictObject({
  username: z.string().min(3).max(50).optional(),
  displayName: z.string().min(1).max(100).nullable().optional(),
  avatarUrl: z
    .url({ protocol: /^https?$/ })
    .max(2_048)
    .nullable()
    .optional(),
  email: z.email().max(255).optional().describe('needs a step-up; local accounts only'),
})
export type ProfileChange = z.infer<typeof profileChange>

export const ownSession = z.object({
  id: z.string(),
  current: z.boolean(),
  deviceType: z.string().nullable(),
  userAgent: z.string().nullable(),
  ipAddress: z.string().nullable(),
  status: z.enum(['online', 'away', 'offline']),
  createdAt: time,
  lastActivity: time,
  expiresAt: time,
  methods: z.array(z.string()).readonly(),
  secondFactor: z.boolean(),
})
export type OwnSession = z.infer<typeof ownSession>

export const ownSessions = z.object({ sessions: z.array(ownSession).readonly() })

export const factors = z.object({
  factors: z
    .array(
      z.object({
        id: z.string(),
        label: z.string().nullable(),
        confirmedAt: time.nullable(),
        lastUsedAt: time.nullable(),
      }),
    )
    .readonly(),
  recoveryCodesLeft: z.int(),
})
export type Factors = z.infer<typeof factors>

export const enrolment = z.object({
  id: z.string(),
  secret: z.string().describe('base 32, for those who type it'),
  uri: z.string().describe('otpauth:, for the QR code'),
})
export type Enrolment = z.infer<typeof enrolment>

export const enrolRequest = z.strictObject({ label: z.string().min(1).max(100).nullable().default(null) })
export const confirmRequest = z.strictObject({ code: totp })

export const recoveryCodes = z.object({
  recoveryCodes: z.array(z.string()).readonly().describe('shown once; each is good for one sign-in'),
})
export type RecoveryCodes = z.infer<typeof recoveryCodes>

export const passwordChange = z.strictObject({ current: password, next: password })
export type PasswordChange = z.infer<typeof passwordChange>

export const consentDecision = z.strictObject({
  purpose: z.string().regex(/^[a-z][a-z0-9_]{0,99}$/),
  decision: z.enum(['granted', 'withdrawn']),
  documentVersion: z.string().min(1).max(50),
  regulation: z.enum(['gdpr', 'appi', 'other']),
})
export type ConsentDecision = z.infer<typeof consentDecision>

const consent = z.object({
  id: z.string(),
  purpose: z.string(),
  decision: z.enum(['granted', 'withdrawn']),
  documentVersion: z.string(),
  regulation: z.enum(['gdpr', 'appi', 'other']),
  createdAt: time,
})
export const consents = z.object({
  current: z.array(consent).readonly().describe('the latest decision for each purpose'),
  history: z.array(consent).readonly().describe('every decision, newest first'),
})
export type Consents = z.infer<typeof consents>
