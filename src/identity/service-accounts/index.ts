export {
  createServiceAccount,
  grantServiceRole,
  listServiceAccounts,
  revokeServiceRole,
  type ServiceAccount,
  setServiceAccountActive,
} from './accounts.ts'
