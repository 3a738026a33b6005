export {
  confirmFactor,
  enrolFactor,
  type Factor,
  listFactors,
  removeFactor,
  replaceRecoveryCodes,
  useFactor,
} from './factors.ts'
export { newRecoveryCodes, recoveryCodeDigest } from './recovery-codes.ts'
export { newTotpSecret, totpCode, totpStep } from './totp.ts'
