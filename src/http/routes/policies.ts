import { z } from 'zod'
import { listPolicies, setPolicy } from '../../identity/index.ts'
import { policies, policy, policyChange } from '../contract/access.ts'
import { requireStepUp } from '../plugins/authentication.ts'
import { orRecordDenial, requirePermission } from '../plugins/authorization.ts'
import type { App } from '../schema.ts'
import type { Services } from '../services.ts'
import { refusals } from './refusals.ts'

const one = z.strictObject({ key: z.string().max(100) })

/** What is demanded of passwords, sessions, second factors and keys. */
export function policyRoutes(app: App, { identity }: Services): void {
  const { app: database } = identity.login
  const dangerous = { preHandler: requireStepUp(identity) }
  app.get(
    '/policies',
    {
      preHandler: requirePermission(database, 'auth_config:read'),
      schema: {
        summary: 'Every security policy',
        tags: ['access'],
        response: { 200: policies, ...refusals },
      },
    },
    async (request) => ({ policies: await listPolicies(database, request.actor) }),
  )
  app.put(
    '/policies/:key',
    {
      ...dangerous,
      schema: {
        summary: 'Change a policy, from now on',
        tags: ['access'],
        params: one,
        body: policyChange,
        response: { 200: policy, ...refusals },
      },
    },
    (request) =>
      orRecordDenial(database, request, 'auth_config:write', () =>
        setPolicy(database, request.actor, request.params.key, request.body.value),
      ),
  )
  app.delete(
    '/policies/:key',
    {
      ...dangerous,
      schema: {
        summary: 'Take a policy back to its default',
        tags: ['access'],
        params: one,
        response: { 200: policy, ...refusals },
      },
    },
    (request) =>
      orRecordDenial(database, request, 'auth_config:write', () =>
        setPolicy(database, request.actor, request.params.key),
      ),
  )
}
