import { z } from 'zod'
import { listPolicies, setPolicy } from '../../identity/index.ts'
import { policies, policy, policyChange } from '../contract/access.ts'
import { route } from '../route.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'

const one = z.strictObject({ key: z.string().max(100) })

/** What is demanded of passwords, sessions, second factors and keys. */
export function policyRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  route(app, {
    method: 'GET',
    url: '/policies',
    access: { permission: 'auth_config:read' },
    schema: {
      summary: 'Every security policy',
      tags: ['access'],
      response: { 200: policies },
    },
    handle: async (request) => ({ policies: await listPolicies(database, request.actor) }),
  })
  route(app, {
    method: 'PUT',
    url: '/policies/:key',
    access: { permission: 'auth_config:write', stepUp: true },
    schema: {
      summary: 'Change a policy, from now on',
      tags: ['access'],
      params: one,
      body: policyChange,
      response: { 200: policy },
    },
    handle: (request) => setPolicy(database, request.actor, request.params.key, request.body.value),
  })
  route(app, {
    method: 'DELETE',
    url: '/policies/:key',
    access: { permission: 'auth_config:write', stepUp: true },
    schema: {
      summary: 'Take a policy back to its default',
      tags: ['access'],
      params: one,
      response: { 200: policy },
    },
    handle: (request) => setPolicy(database, request.actor, request.params.key),
  })
}
