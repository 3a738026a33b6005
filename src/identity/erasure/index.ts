export {
  checkErasureCertificate,
  type ErasureCertificate,
  erasureVerifierKey,
} from './certificate.ts'
export { type ErasureParts, eraseUser, readErasure } from './erase.ts'
export { forgetPerson } from './forget.ts'
export {
  completeErasures,
  type Reapplied,
  type Reconciliation,
  reapplyErasures,
  reconcileErasures,
} from './reconcile.ts'
export { type ErasureRequest, readErasureRequest, requestErasure } from './request.ts'
