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
import { route } from '../route.ts'
import { type App, given, noContent } from '../schema.ts'
import type { Services } from '../services.ts'

const one = z.strictObject({ account: accountName })
const assignment = z.strictObject({ account: accountName, role: roleName })

/** Callers that are no person: they have roles and keys. */
export function serviceAccountRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  route(app, {
    method: 'GET',
    url: '/service-accounts',
    access: { permission: 'api_keys:read' },
    schema: {
      summary: 'Every service account',
      tags: ['access'],
      response: { 200: serviceAccounts },
    },
    handle: async (request) => ({ accounts: await listServiceAccounts(database, request.actor) }),
  })
  route(app, {
    method: 'POST',
    url: '/service-accounts',
    access: { permission: 'api_keys:write', stepUp: true },
    schema: {
      summary: 'Make a service account',
      tags: ['access'],
      body: newServiceAccount,
      response: { 201: z.object({ id: z.string() }) },
    },
    handle: async (request, reply) => {
      const id = await createServiceAccount(database, request.actor, given(request.body))
      return reply.code(201).send({ id })
    },
  })
  route(app, {
    method: 'PATCH',
    url: '/service-accounts/:account',
    access: { permission: 'api_keys:write', stepUp: true },
    schema: {
      summary: 'Refuse every key of an account, at once, or let it act again',
      tags: ['access'],
      params: one,
      body: z.strictObject({ isActive: z.boolean() }),
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      await setServiceAccountActive(database, request.actor, request.params.account, request.body.isActive)
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'PUT',
    url: '/service-accounts/:account/roles/:role',
    access: { permission: ['roles:write', 'api_keys:write'], stepUp: true },
    schema: {
      summary: 'Give an account a role, or change when it ends',
      tags: ['access'],
      params: assignment,
      body: newGrant.optional(),
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      await grantServiceRole(database, request.actor, { ...request.params, ...given(request.body ?? {}) })
      return reply.code(204).send()
    },
  })
  route(app, {
    method: 'DELETE',
    url: '/service-accounts/:account/roles/:role',
    access: { permission: ['roles:write', 'api_keys:write'], stepUp: true },
    schema: {
      summary: 'Take a role from an account',
      tags: ['access'],
      params: assignment,
      response: { 204: noContent },
    },
    handle: async (request, reply) => {
      const revoked = await revokeServiceRole(database, request.actor, request.params)
      if (!revoked) throw new AkashiError('not_found', 'the account does not have the role')
      return reply.code(204).send()
    },
  })
}
