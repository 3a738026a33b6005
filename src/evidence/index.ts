// Terms: docs/glossary.md

export { type CheckedFile, checkEvidenceFile } from './check.ts'
export { MAX_EVIDENCE_ROWS } from './limits.ts'
export {
  closeSession,
  createLink,
  type LinkQuery,
  type LinkScope,
  linkSession,
  listLinks,
  openLink,
  recordLook,
  revokeLink,
} from './links.ts'
export { type EvidenceFile, type EvidenceParts, makeEvidence } from './make.ts'
export { evidenceVerifierKeys } from './sign.ts'
