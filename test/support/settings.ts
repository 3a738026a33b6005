import { fileURLToPath } from 'node:url'
import type { ContextKey, DatabaseRole } from '../../src/postgres/index.ts'

export const TEMPLATE = 'akashi_template'

export const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))

/** Known to the template database, and so to every database of a test. */
export const CONTEXT_KEY: ContextKey = { id: 'test', secret: Buffer.alloc(32, 0x5a) }

/** The owner has no login: the superuser acts as it. `server` has no rights, and may act as the others. */
export const LOGINS = [
  'server',
  'app',
  'worker',
  'reader',
  'security_admin',
  'backup',
] as const satisfies readonly (Exclude<DatabaseRole, 'owner'> | 'server')[]

export type Login = (typeof LOGINS)[number]

export function rolePassword(role: Login): string {
  return `test-${role}`
}
