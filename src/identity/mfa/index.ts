export { newRecoveryCodes, recoveryCodeDigest } from './recovery-codes.ts'
export { newTotpSecret, totpCode, totpStep } from './totp.ts'
