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
export { type Holder, holderNamed } from './holder.ts'
export { permissionNamed } from './permission.ts'
export { listPermissions, listRoles, rolesOfUser } from './roles.ts'
