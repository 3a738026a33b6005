import { type PermissionName, permissionName } from '@akashi/contract'
import { AkashiError } from '../../foundation/index.ts'

/**
 * Whether there is such a permission, the database knows.
 *
 * @throws AkashiError invalid_input for what is not of the form resource:action
 */
export function permissionNamed(name: string): PermissionName {
  const parsed = permissionName.safeParse(name)
  if (parsed.success) return parsed.data
  throw new AkashiError('invalid_input', `${name} is not a permission`, {
    hint: 'write it as resource:action, such as events:read',
  })
}
