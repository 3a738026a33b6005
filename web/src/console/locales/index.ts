import { useTranslation } from 'react-i18next'
import { addTexts } from '../../i18n/index.ts'
import type { en } from './en.ts'

declare module '../../i18n/index.ts' {
  interface Texts {
    readonly console: typeof en
  }
}

/** Loads the texts of the console, which have to be there before it is shown. */
export function loadTexts(): Promise<void> {
  return addTexts('console', async (language) =>
    language === 'ja' ? (await import('./ja.ts')).ja : (await import('./en.ts')).en,
  )
}

/** Translates the texts of the console. */
export function useTexts() {
  return useTranslation('console').t
}
export type ConsoleTexts = ReturnType<typeof useTexts>
