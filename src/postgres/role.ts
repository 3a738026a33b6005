import { AkashiError } from '../foundation/index.ts'

/** Each is the role `akashi_…` of the database. */
const databaseRoles = ['owner', 'app', 'worker', 'reader', 'security_admin', 'backup'] as const

export type DatabaseRole = (typeof databaseRoles)[number]

/** Safe to use in the text of a statement. */
export function roleName(role: DatabaseRole): string {
  if (!databaseRoles.includes(role)) throw new AkashiError('invalid_input', `there is no role ${role}`)
  return `akashi_${role}`
}
