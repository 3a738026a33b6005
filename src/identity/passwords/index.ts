export { type BreachedPasswords, openBreachedPasswords } from './breached.ts'
export { openGate } from './gate.ts'
export { MAX_PASSWORD_CHARACTERS, openPasswords, type Passwords } from './hash.ts'
export { generatePassword } from './one-time.ts'
export {
  defaultPasswordPolicy,
  type PasswordFault,
  type PasswordPolicy,
  passwordFaults,
  passwordPolicySchema,
} from './policy.ts'
