import type { PermissionName } from '@akashi/contract'

/** Reading a table of these schemas requires more than the permission to query. */
const bySchema: Readonly<Record<string, PermissionName>> = {
  akashi_audit: 'audit_logs:read',
  akashi_auth: 'audit_logs:read',
  akashi_security: 'events:read',
  akashi_chat: 'messages:admin',
}

/** For any other schema of Akashi, such as one that a later version adds. */
const OTHERS: PermissionName = 'audit_logs:read'

/** The permissions that guard the rows of these tables; none for tables of applications. */
export function permissionsToRead(tables: readonly { readonly schema: string }[]): readonly PermissionName[] {
  const own = tables.filter(({ schema }) => schema.startsWith('akashi_'))
  return [...new Set(own.map(({ schema }) => bySchema[schema] ?? OTHERS))]
}
