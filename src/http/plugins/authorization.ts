import type { FastifyRequest } from 'fastify'
import { AkashiError } from '../../foundation/index.ts'
import { type PermissionName, recordDenial, requirePermission as require } from '../../identity/index.ts'
import type { Database } from '../../postgres/index.ts'

/** preHandler: answers only callers with the permission; a refusal is recorded. `database` is of the role app. */
export function requirePermission(
  database: Database,
  permission: PermissionName,
): (request: FastifyRequest) => Promise<void> {
  return (request) => require(database, request.actor, permission)
}

/**
 * Does what the database itself permits or refuses, and records a refusal: what the refused transaction
 * wrote went with it. `permission` is the one that it is about.
 */
export async function orRecordDenial<T>(
  database: Database,
  request: FastifyRequest,
  permission: PermissionName,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof AkashiError && error.code === 'forbidden') {
      await recordDenial(database, request.actor, permission)
    }
    throw error
  }
}
