import { useTranslation } from 'react-i18next'
import { texts as fileTexts } from '../evidence/texts.ts'
import { addTexts, currentLanguage } from '../i18n/index.ts'
import type { en } from './en.ts'

declare module '../i18n/index.ts' {
  interface Texts {
    readonly evidence: typeof en
  }
}

export function loadTexts(): Promise<void> {
  return addTexts('evidence', async (language) =>
    language === 'ja' ? (await import('./ja.ts')).ja : (await import('./en.ts')).en,
  )
}

export function useTexts() {
  return useTranslation('evidence').t
}

/** What the evidence file says of the same check. */
export function useFileTexts() {
  useTranslation()
  return fileTexts[currentLanguage()]
}
