/** The HTML file in which an evidence document is handed over. */
import { EVIDENCE_DOCUMENT_ID, EVIDENCE_NOTE_ID } from './ids.ts'

export interface EvidenceTexts {
  readonly document: string
  /** The signed note about it. */
  readonly note: string
}

/** Document and note in the text of a file; null where there is none. */
export function readEvidenceFile(html: string): EvidenceTexts | null {
  const document = elementIn(html, EVIDENCE_DOCUMENT_ID)
  const note = elementIn(html, EVIDENCE_NOTE_ID)
  return document === null || note === null ? null : evidenceTexts(document, note)
}

/** @param note as JSON, which its element holds */
export function evidenceTexts(document: string, note: string): EvidenceTexts {
  return { document, note: textIn(note) }
}

function elementIn(html: string, id: string): string | null {
  const open = `<script type="application/json" id="${id}">`
  const start = html.indexOf(open)
  const end = html.indexOf('</script>', start)
  return start < 0 || end < 0 ? null : html.slice(start + open.length, end)
}

function textIn(json: string): string {
  try {
    return String(JSON.parse(json))
  } catch {
    return ''
  }
}
