/** Checks proofs of rows of the record, in browsers and wherever else there is WebCrypto. */
export type { Bundle } from './bundle.ts'
export type { Cosignature } from './cosignature.ts'
export { keysIn, type VerifierKey } from './note.ts'
export {
  canVerify,
  type Proven,
  type Step,
  type StepName,
  stepNames,
  type Verified,
  verifyProof,
} from './verify.ts'
