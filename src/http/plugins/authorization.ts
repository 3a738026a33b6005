import type { FastifyRequest } from 'fastify'
import { type PermissionName, requirePermission as require } from '../../identity/index.ts'
import type { Database } from '../../postgres/index.ts'

/** preHandler: answers only callers with the permission; a refusal is recorded. `database` is of the role app. */
export function requirePermission(
  database: Database,
  permission: PermissionName,
): (request: FastifyRequest) => Promise<void> {
  return (request) => require(database, request.actor, permission)
}
