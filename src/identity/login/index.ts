export { createFirstAdministrator, type FirstAdministrator } from './administrator.ts'
export {
  createLocalUser,
  endSessions,
  findUserByName,
  reactivateUser,
  resetFactors,
  resetPassword,
  suspendUser,
} from './manage.ts'
export type { LoginParts } from './parts.ts'
export { changePassword } from './password-change.ts'
export { findProviderUser, type ProviderUser, providerUser } from './provider-user.ts'
export { type LoginRules, readLoginRules } from './rules.ts'
export {
  type FactorProof,
  type SignedIn,
  signInWithFactor,
  signInWithPasskey,
  signInWithPassword,
  signInWithProvider,
} from './sign-in.ts'
export { type StepUpProof, stepUp } from './step-up.ts'
