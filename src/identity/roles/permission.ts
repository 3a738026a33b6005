import { type PermissionName, permissionName } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'

/**
 * Checks the form of a permission name; the database checks whether it exists.
 *
 * @throws AkashiError invalid_input unless it is of the form resource:action
 */
export function permissionNamed(name: string): PermissionName {
  const parsed = permissionName.safeParse(name)
  if (parsed.success) return parsed.data
  throw new AkashiError('invalid_input', `${name} is not a permission`, {
    hint: 'write it as resource:action, such as events:read',
  })
}
