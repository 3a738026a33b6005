export { currentPermissions, hasPermission, recordDenial, requirePermission } from './decide.ts'
export {
  createRole,
  deleteRole,
  grantPermission,
  grantRole,
  type RoleGrant,
  revokePermission,
  revokeRole,
} from './grants.ts'
export { userIdOf } from './holder.ts'
export {
  type Action,
  actions,
  type PermissionName,
  permissionNamed,
  permissionPattern,
  type Tier,
  tiers,
} from './permission.ts'
export {
  type Grant,
  listPermissions,
  listRoles,
  type Permission,
  type Role,
  rolesOfUser,
} from './roles.ts'
