export {
  confirmFactor,
  enrolFactor,
  type Factor,
  listFactors,
  removeFactor,
  replaceRecoveryCodes,
  useFactor,
} from './factors.ts'
export {
  addPasskey,
  challengeNewPasskey,
  challengePasskey,
  findPasskey,
  listPasskeys,
  PASSKEY_METHODS,
  type PasskeyProof,
  type RelyingParty,
  removePasskey,
  usePasskey,
} from './passkeys.ts'
export { newRecoveryCodes, recoveryCodeDigest } from './recovery-codes.ts'
export { newTotpSecret, totpCode, totpStep } from './totp.ts'
