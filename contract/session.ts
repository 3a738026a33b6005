/** Signing in and out: `/v1/session`, `/v1/oidc`. */
import { z } from 'zod'
import { json, list, name, password, recoveryCode, time, totp } from './fields.ts'
import type { OperationTable } from './operation.ts'

/** What a session has to complete before anything else is allowed. */
const pending = z
  .enum(['password_change', 'second_factor'])
  .describe('password_change: PUT /v1/me/password; second_factor: POST /v1/me/mfa')
export type PendingStep = z.infer<typeof pending>

const sessionState = z.object({
  userId: z.string(),
  username: z.string(),
  displayName: z.string(),
  tenantId: z.string().nullable(),
  sessionId: z.string(),
  secondFactor: z.boolean().describe('a second factor was used in this session'),
  authenticatedAt: time.describe('when credentials were last given'),
  stepUpUntil: time.describe('until when dangerous operations need no new step-up'),
  expiresAt: time,
  pending: pending.nullable(),
  permissions: list(z.string()).describe('resource:action'),
})

const challenge = z.string().max(4_096).optional()

/** What WebAuthn's `PublicKeyCredential.toJSON()` gives; the library checks what is in it. */
export const credential = z.record(z.string(), z.unknown())
/** A challenge of this server, and how a passkey answered it. */
const passkey = z.strictObject({ challenge: z.string().max(4_096), response: credential })
const signInRequest = z.union([
  z.strictObject({ login: name.describe('username or e-mail address'), password }),
  z.strictObject({ challenge, code: totp }),
  z.strictObject({ challenge, recoveryCode }),
  z.strictObject({
    challenge: z.string().max(4_096).describe('by default the one from a provider’s redirect'),
    passkey,
  }),
  z.strictObject({ passkey }),
])

const signInResponse = z.discriminatedUnion('step', [
  z.object({ step: z.literal('done'), userId: z.string() }),
  z.object({
    step: z.literal('second_factor'),
    challenge: z.string().describe('to be sent back with the code, within five minutes'),
  }),
])

const stepUpRequest = z.union([
  z.strictObject({ password }),
  z.strictObject({ code: totp }),
  z.strictObject({ recoveryCode }),
  z.strictObject({ passkey }),
])

const signInMethods = z.object({
  password: z.boolean().describe('whether passwords are accepted'),
  providers: list(z.object({ name: z.string(), label: z.string(), start: z.string() })),
})

/** A path of this server: `//host` and `/\host` would lead elsewhere. */
const localPath = z
  .string()
  .max(1_024)
  .regex(/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/, 'a path of this server')

export const sessionOperations = {
  'POST /v1/session': {
    summary: 'Sign in: a name and a password, then a code where the account has a second factor',
    body: signInRequest,
    response: signInResponse,
  },
  'POST /v1/session/passkey': {
    summary: 'A challenge for a passkey: to sign in with it alone, as a second factor, or for step-up',
    response: z.object({
      challenge: z.string().describe('to be sent back with the response, within five minutes'),
      options: json.describe('of navigator.credentials.get, as JSON'),
    }),
  },
  'GET /v1/session': { summary: 'The current session with the caller’s permissions', response: sessionState },
  'DELETE /v1/session': { summary: 'Sign out' },
  'POST /v1/session/step-up': {
    summary: 'Confirm credentials again before a dangerous operation',
    body: stepUpRequest,
  },
  'GET /v1/oidc': { summary: 'The ways to sign in', response: signInMethods },
  'GET /v1/oidc/{name}/start': {
    summary: 'Start signing in at a provider: redirects there',
    params: z.strictObject({ name: z.string() }),
    query: z.strictObject({
      returnTo: localPath.default('/').describe('where the browser goes afterwards'),
      reauthenticate: z
        .enum(['true', 'false'])
        .default('false')
        .describe('whether the provider must authenticate the user again'),
    }),
    response: z.unknown(),
    status: 302,
  },
  'GET /v1/oidc/callback': {
    summary: 'Callback of identity providers',
    query: z.looseObject({}),
    response: z.unknown(),
    status: 302,
  },
} as const satisfies OperationTable
