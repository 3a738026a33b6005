/** Rows of one file, which a browser checks within two seconds. */
export const MAX_EVIDENCE_ROWS = 10_000
/** Bytes of these rows as JSON. */
export const MAX_EVIDENCE_BYTES = 32 << 20
