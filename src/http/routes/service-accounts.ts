import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import {
  createServiceAccount,
  grantServiceRole,
  listServiceAccounts,
  revokeServiceRole,
  setServiceAccountActive,
} from '../../identity/index.ts'
import { accountName, newGrant, newServiceAccount, roleName, serviceAccounts } from '../contract/access.ts'
import { requireStepUp } from '../plugins/authentication.ts'
import { orRecordDenial, requirePermission } from '../plugins/authorization.ts'
import { type App, given, noContent } from '../schema.ts'
import type { Services } from '../services.ts'
import { refusals } from './refusals.ts'

const one = z.strictObject({ account: accountName })
const assignment = z.strictObject({ account: accountName, role: roleName })

/** Callers that are no person: they have roles and keys. */
export function serviceAccountRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  const dangerous = { preHandler: requireStepUp(identity) }
  app.get(
    '/service-accounts',
    {
      preHandler: requirePermission(database, 'api_keys:read'),
      schema: {
        summary: 'Every service account',
        tags: ['access'],
        response: { 200: serviceAccounts, ...refusals },
      },
    },
    async (request) => ({ accounts: await listServiceAccounts(database, request.actor) }),
  )
  app.post(
    '/service-accounts',
    {
      ...dangerous,
      schema: {
        summary: 'Make a service account',
        tags: ['access'],
        body: newServiceAccount,
        response: { 201: z.object({ id: z.string() }), ...refusals },
      },
    },
    async (request, reply) => {
      const id = await orRecordDenial(database, request, 'api_keys:write', () =>
        createServiceAccount(database, request.actor, given(request.body)),
      )
      return reply.code(201).send({ id })
    },
  )
  app.patch(
    '/service-accounts/:account',
    {
      ...dangerous,
      schema: {
        summary: 'Refuse every key of an account, at once, or let it act again',
        tags: ['access'],
        params: one,
        body: z.strictObject({ isActive: z.boolean() }),
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      await orRecordDenial(database, request, 'api_keys:write', () =>
        setServiceAccountActive(database, request.actor, request.params.account, request.body.isActive),
      )
      return reply.code(204).send()
    },
  )
  app.put(
    '/service-accounts/:account/roles/:role',
    {
      ...dangerous,
      schema: {
        summary: 'Give an account a role, or change when it ends',
        tags: ['access'],
        params: assignment,
        body: newGrant.optional(),
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      await orRecordDenial(database, request, 'roles:write', () =>
        grantServiceRole(database, request.actor, { ...request.params, ...given(request.body ?? {}) }),
      )
      return reply.code(204).send()
    },
  )
  app.delete(
    '/service-accounts/:account/roles/:role',
    {
      ...dangerous,
      schema: {
        summary: 'Take a role from an account',
        tags: ['access'],
        params: assignment,
        response: { 204: noContent, ...refusals },
      },
    },
    async (request, reply) => {
      const revoked = await orRecordDenial(database, request, 'roles:write', () =>
        revokeServiceRole(database, request.actor, request.params),
      )
      if (!revoked) throw new AkashiError('not_found', 'the account does not have the role')
      return reply.code(204).send()
    },
  )
}
