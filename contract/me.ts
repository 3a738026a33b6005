/** What users see and change of themselves: `/v1/me`. */
import { z } from 'zod'
import { byId, displayName, json, list, password, rowPage, text, time, totp, username } from './fields.ts'
import type { OperationTable } from './operation.ts'
import { credential } from './session.ts'

const profile = z.object({
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

const profileChange = z.strictObject({
  username: username.optional(),
  displayName: displayName.optional(),
})

export const userSession = z.object({
  id: z.string(),
  deviceType: z.string().nullable(),
  userAgent: z.string().nullable(),
  ipAddress: z.string().nullable(),
  status: z.enum(['online', 'away', 'offline']),
  createdAt: time,
  lastActivity: time,
  expiresAt: time,
  methods: list(z.string()),
  secondFactor: z.boolean(),
})

const ownSession = userSession.extend({ current: z.boolean() })

const factor = z.object({
  id: z.string(),
  label: z.string().nullable(),
  confirmedAt: time.nullable(),
  lastUsedAt: time.nullable(),
})

const passkey = z.object({
  id: z.string(),
  label: z.string().nullable(),
  backedUp: z.boolean().describe('copied to other devices of its owner'),
  createdAt: time,
  lastUsedAt: time.nullable(),
})

const enrolment = z.object({
  id: z.string(),
  secret: z.string().describe('base 32, to be typed'),
  uri: z.string().describe('otpauth:, for the QR code'),
})

const recoveryCodes = z.object({
  recoveryCodes: list(z.string()).describe('shown once; each can be used for one sign-in'),
})

const consentDecision = z.strictObject({
  purpose: z.string().regex(/^[a-z][a-z0-9_]{0,99}$/),
  decision: z.enum(['granted', 'withdrawn']),
  documentVersion: z.string().min(1).max(50),
  regulation: z.enum(['gdpr', 'appi', 'other']),
})

const consent = z.object({
  ...consentDecision.shape,
  id: z.string(),
  purpose: z.string(),
  documentVersion: z.string(),
  createdAt: time,
})
export type Consent = z.output<typeof consent>

export const meOperations = {
  'GET /v1/me': { summary: 'Your own account', response: profile },
  'PATCH /v1/me': {
    summary: 'Change your names',
    body: profileChange,
  },
  'PUT /v1/me/password': {
    summary: 'Change the password; ends every other session and, on request, revokes the API keys',
    body: z.strictObject({
      current: password,
      next: password,
      revokeApiKeys: z.boolean().default(false).describe('also revoke all of your own API keys'),
    }),
  },
  'GET /v1/me/consents': {
    summary: 'Your consents',
    response: z.object({
      current: list(consent).describe('the latest decision for each purpose'),
      history: list(consent).describe('every decision, newest first'),
    }),
  },
  'POST /v1/me/consents': {
    summary: 'Give or withdraw a consent; every decision stays on record',
    body: consentDecision,
  },
  'GET /v1/me/audit': {
    summary: 'Audit rows of your own actions, or of what others did about you, newest first',
    description:
      'Rows of what others did name the row and the changed columns, but not who did it, from where, or with which values.',
    query: z.strictObject({
      by: z.enum(['me', 'others']).default('me'),
      schema: z.string().optional(),
      table: z.string().optional(),
      from: z.string().optional(),
      to: z.string().optional(),
      cursor: z.string().optional(),
      limit: z.coerce.number<number>().optional(),
    }),
    response: rowPage,
  },
  'GET /v1/me/audit/{id}/proof': {
    summary: 'The proof of an audit row of your own actions, with the keys that check it',
    params: byId,
    response: z.object({
      proof: json.describe('a proof bundle, as /v1/ledger/{log}/proofs/{row} returns it'),
      keys: list(z.string()).describe('verifier keys of the log (C2SP signed-note)'),
    }),
  },
  'GET /v1/me/erasure-request': {
    summary: 'Your last request to be erased, and what became of it',
    response: z.object({
      request: z.object({ requestedAt: time, state: z.enum(['waiting', 'closed', 'declined']) }).nullable(),
    }),
  },
  'POST /v1/me/erasure-request': {
    summary: 'Ask to be erased; an administrator decides',
    body: z.strictObject({ reason: text(1_000, 0).default('') }),
  },
  'GET /v1/me/sessions': {
    summary: 'Your active sessions, most recently used first',
    response: z.object({ sessions: list(ownSession) }),
  },
  'DELETE /v1/me/sessions': {
    summary: 'End every session except this one',
    response: z.object({ ended: z.int() }),
  },
  'DELETE /v1/me/sessions/{id}': { summary: 'End one session', params: byId },
  'GET /v1/me/mfa': {
    summary: 'Your second factors',
    response: z.object({ factors: list(factor), recoveryCodesLeft: z.int() }),
  },
  'POST /v1/me/mfa': {
    summary: 'Start to enrol an authenticator app; it takes effect when its first code is confirmed',
    body: z.strictObject({ label: z.string().min(1).max(100).nullable().default(null) }),
    response: enrolment,
  },
  'POST /v1/me/mfa/{id}/confirm': {
    summary: 'Confirm an authenticator with its first code; returns new recovery codes',
    params: byId,
    body: z.strictObject({ code: totp }),
    response: recoveryCodes,
  },
  'DELETE /v1/me/mfa/{id}': { summary: 'Remove an authenticator', params: byId },
  'GET /v1/me/passkeys': {
    summary: 'Your passkeys',
    response: z.object({ passkeys: list(passkey) }),
  },
  'POST /v1/me/passkeys/options': {
    summary: 'Start to add a passkey',
    response: z.object({
      challenge: z.string().describe('to be sent back with the response, within five minutes'),
      options: json.describe('of navigator.credentials.create, as JSON'),
    }),
  },
  'POST /v1/me/passkeys': {
    summary: 'Add a passkey; returns recovery codes if it is the first second factor',
    body: z.strictObject({
      challenge: z.string().max(4_096),
      response: credential,
      label: text(100).nullable().default(null),
    }),
    response: z.object({
      id: z.string(),
      recoveryCodes: list(z.string()).nullable().describe('shown once; null if the account already has some'),
    }),
    status: 201,
  },
  'DELETE /v1/me/passkeys/{id}': { summary: 'Remove a passkey', params: byId },
  'POST /v1/me/mfa/recovery-codes': {
    summary: 'Replace all recovery codes with new ones',
    response: recoveryCodes,
  },
} as const satisfies OperationTable
