export * from './access-reviews/index.ts'
export * from './api-keys/index.ts'
export * from './approvals/index.ts'
export * from './consents/index.ts'
export {
  activeContextKeys,
  type ContextKeyInfo,
  createContextKey,
  listContextKeys,
  revokeContextKey,
  useContextKey,
} from './context-keys.ts'
export * from './erasure/index.ts'
export { type KeyAge, keyAges } from './key-ages.ts'
export * from './login/index.ts'
export {
  addPasskey,
  challengeNewPasskey,
  challengePasskey,
  confirmFactor,
  enrolFactor,
  type Factor,
  listFactors,
  listPasskeys,
  PASSKEY_METHODS,
  type RelyingParty,
  removeFactor,
  removePasskey,
  replaceRecoveryCodes,
  totpCode,
} from './mfa/index.ts'
export * from './oidc/index.ts'
export {
  MAX_PASSWORD_CHARACTERS,
  openBreachedPasswords,
  openPasswords,
  type Passwords,
} from './passwords/index.ts'
export * from './policies/index.ts'
export * from './roles/index.ts'
export * from './service-accounts/index.ts'
export * from './sessions/index.ts'
export { countFailedSignIns } from './sign-in-failures.ts'
export { purgeIdentity } from './upkeep.ts'
export * from './users/index.ts'
