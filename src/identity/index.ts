export * from './login/index.ts'
export {
  confirmFactor,
  enrolFactor,
  type Factor,
  listFactors,
  removeFactor,
  replaceRecoveryCodes,
} from './mfa/index.ts'
export * from './oidc/index.ts'
export {
  MAX_PASSWORD_CHARACTERS,
  openBreachedPasswords,
  openPasswords,
  type Passwords,
} from './passwords/index.ts'
export * from './sessions/index.ts'
export * from './users/index.ts'
