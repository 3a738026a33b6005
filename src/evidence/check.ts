/** Checks an evidence file without trusting the program inside it. */
import { type CheckedEvidence, readEvidenceFile, verifyEvidence } from '@akashi/client/evidence'
import { AkashiError } from '../foundation/index.ts'
import { evidencePage } from './page.ts'

export interface CheckedFile extends CheckedEvidence {
  /** Whether everything around the document is what this version of Akashi writes. */
  readonly page: 'same' | 'different'
}

/**
 * @param html the text of the file
 * @param policy a trust policy obtained elsewhere; without one, that of the file
 * @throws AkashiError invalid_input for what is not an evidence file
 */
export async function checkEvidenceFile(html: string, policy?: string): Promise<CheckedFile> {
  const found = readEvidenceFile(html)
  if (found === null) {
    throw new AkashiError('invalid_input', 'the file is not an evidence file', {
      hint: 'make one with akashi evidence make',
    })
  }
  const checked = await verifyEvidence(found.document, found.note, policy)
  const page = (await evidencePage(found.document, found.note)) === html ? 'same' : 'different'
  return { ...checked, page }
}
