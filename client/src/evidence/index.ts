/** Checks evidence files. Not published with the client: the server and the file itself have it. */
export { canVerify } from '../proof/verify.ts'
export type { EvidenceDocument, EvidencePart, EvidenceRow } from './document.ts'
export { type EvidenceTexts, evidenceTexts, readEvidenceFile } from './file.ts'
export { EVIDENCE_DOCUMENT_ID, EVIDENCE_NOTE_ID } from './ids.ts'
export type { QuorumState } from './policy.ts'
export {
  type CheckedEvidence,
  type CheckedPart,
  type CheckedRow,
  EVIDENCE_NOTE,
  EVIDENCE_SIGNER,
  type EvidenceProblem,
  verifyEvidence,
} from './verify.ts'
