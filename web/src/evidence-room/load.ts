import { loadTexts } from './texts.ts'

/** The page with its texts. */
export async function load() {
  const [{ EvidenceRoom }] = await Promise.all([import('./index.tsx'), loadTexts()])
  return EvidenceRoom
}
