export {
  checkErasureCertificate,
  type ErasureCertificate,
  erasureVerifierKey,
} from './certificate.ts'
export { type Erasure, type ErasureParts, eraseUser, readErasure } from './erase.ts'
export { destroyErasedKeys, type Reconciliation, reconcileErasures } from './reconcile.ts'
