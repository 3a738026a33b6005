export {
  createServiceAccount,
  grantServiceRole,
  listServiceAccounts,
  revokeServiceRole,
  setServiceAccountActive,
} from './accounts.ts'
