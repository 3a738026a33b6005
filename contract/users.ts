/** Users as administrators see and manage them: `/v1/users`. */
import { z } from 'zod'
import {
  avatarUrl,
  byId,
  classification,
  created,
  displayName,
  id,
  json,
  list,
  name,
  next,
  reason,
  time,
  username,
} from './fields.ts'
import { MAX_PAGE_SIZE } from './limits.ts'
import { userSession } from './me.ts'
import type { OperationTable } from './operation.ts'
import { accountStatuses, LOCAL_ISSUER } from './vocabulary.ts'

/** A deleted account was erased, which has an operation of its own. */
const settableStatus = z.enum(['active', 'inactive', 'suspended'])

/** Also of other scripts; what the local part may hold is its server's business, apart from what would need quotes. */
const email = z
  .string()
  .max(255)
  .regex(
    /^[^\s\p{C}@"(),:;<>[\\\]]{1,64}@[^\s\p{C}@"(),:;<>[\\\]]+\.[^\s\p{C}@"(),:;<>[\\\].]{2,}$/u,
    'not an e-mail address',
  )

const user = z.object({
  id: z.string(),
  issuer: z.string(),
  subject: z.string().nullable().describe('null once the person is erased'),
  username: z.string(),
  displayName: z.string().nullable().describe('null means the username'),
  email: z.string().nullable().describe('null once the person is erased'),
  avatarUrl: z.string().nullable(),
  status: z.enum(accountStatuses),
  classification,
  tenantId: z.string().nullable(),
  complianceTags: json,
  lastLoginAt: time.nullable(),
  createdAt: time,
  updatedAt: time,
})
export type User = z.output<typeof user>

export const newUser = z.strictObject({
  issuer: name.default(LOCAL_ISSUER),
  subject: name.optional().describe('default, for local accounts only: the id of the user'),
  username,
  displayName: displayName.default(null),
  email,
  avatarUrl: avatarUrl.default(null),
  status: settableStatus.default('active'),
  classification: classification.default('internal'),
  tenantId: name.nullable().default(null),
  complianceTags: z.record(z.string(), z.unknown()).default({}),
})
export type NewUser = z.input<typeof newUser>

/** What is not given stays as it is. */
export const userChange = z.strictObject({
  username: username.optional(),
  displayName: displayName.optional(),
  email: email.optional(),
  avatarUrl: avatarUrl.optional(),
})
export type UserChange = z.input<typeof userChange>

const erasure = z.object({
  userId: z.string(),
  requestedAt: time,
  requestedBy: z.string(),
  reason: z.string(),
  completedAt: time.nullable(),
  certificate: z.string().nullable().describe('a signed note (C2SP signed-note); null until completed'),
})
export type Erasure = z.output<typeof erasure>

export const userOperations = {
  'GET /v1/users': {
    summary: 'Users by username',
    query: z.strictObject({
      status: z.enum(accountStatuses).optional(),
      issuer: z.string().optional(),
      tenantId: z.string().optional(),
      usernamePrefix: z.string().optional(),
      limit: z.coerce.number<number>().int().min(1).max(MAX_PAGE_SIZE).optional(),
      cursor: z.string().optional(),
    }),
    response: z.object({ users: list(user), next }),
  },
  'POST /v1/users': {
    summary: 'Create a user; a local one gets a one-time password, shown once',
    body: newUser,
    response: created.extend({ oneTimePassword: z.string().nullable() }),
    status: 201,
  },
  'GET /v1/users/{id}': { summary: 'One user', params: byId, response: user },
  'PATCH /v1/users/{id}': {
    summary: 'Change a user: names, e-mail, account status; the classification needs users:admin',
    params: byId,
    body: userChange.extend({
      status: settableStatus.optional(),
      classification: classification.optional(),
    }),
    response: user,
  },
  'POST /v1/users/{id}/password': {
    summary:
      'Replace a password with a one-time password, shown once; ends the user’s sessions and, on request, revokes the API keys',
    params: byId,
    body: z.strictObject({ reason, revokeApiKeys: z.boolean().default(false) }),
    response: z.object({ oneTimePassword: z.string() }),
  },
  'DELETE /v1/users/{id}/mfa': {
    summary: 'Remove every second factor of a user, with the recovery codes',
    params: byId,
  },
  'GET /v1/users/{id}/sessions': {
    summary: 'The active sessions of a user, most recently used first',
    params: byId,
    response: z.object({ sessions: list(userSession) }),
  },
  'DELETE /v1/users/{id}/sessions': {
    summary: 'End every session of a user',
    params: byId,
    response: z.object({ ended: z.int() }),
  },
  'DELETE /v1/users/{id}/sessions/{sessionId}': {
    summary: 'End one session of a user',
    params: byId.extend({ sessionId: id }),
  },
  'POST /v1/users/{id}/erasure': {
    summary: 'Erase a person permanently',
    params: byId,
    body: z.strictObject({
      confirm: z.string().describe('the username or id again, as confirmation'),
      reason: z.string().min(1).max(1_000),
    }),
    response: erasure,
  },
  'GET /v1/users/{id}/erasure': {
    summary: 'The erasure of a person, with its certificate',
    params: byId,
    response: erasure,
  },
} as const satisfies OperationTable
