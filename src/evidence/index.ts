// Terms: docs/glossary.md

export { type CheckedFile, checkEvidenceFile } from './check.ts'
export { MAX_EVIDENCE_ROWS } from './limits.ts'
export { type EvidenceFile, makeEvidence } from './make.ts'
export { evidenceVerifierKeys } from './sign.ts'
