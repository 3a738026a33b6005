import { AkashiError } from '../../foundation/index.ts'

/**
 * - permission: what may be done, written `resource:action`; `admin` holds the other actions of its resource.
 * - tier: system above business above service; nobody gives what is above their own.
 */
export const tiers = ['system', 'business', 'service'] as const
export type Tier = (typeof tiers)[number]

export const actions = ['read', 'write', 'delete', 'admin'] as const
export type Action = (typeof actions)[number]

export type PermissionName = `${string}:${Action}`

/** What a permission's name looks like; whether there is such a permission, the database knows. */
export const permissionPattern = /^[a-z][a-z0-9_]{0,254}:(?:read|write|delete|admin)$/

/** @throws AkashiError invalid_input for what is not of that form */
export function permissionNamed(name: string): PermissionName {
  if (isPermissionName(name)) return name
  throw new AkashiError('invalid_input', `${name} is no permission`, {
    hint: 'write it as resource:action, such as events:read',
  })
}

function isPermissionName(name: string): name is PermissionName {
  return permissionPattern.test(name)
}
