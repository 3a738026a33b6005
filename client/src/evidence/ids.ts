/** Ids of the elements of an evidence file. */
export const EVIDENCE_DOCUMENT_ID = 'evidence-document'
export const EVIDENCE_NOTE_ID = 'evidence-note'
