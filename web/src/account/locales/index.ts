import { useTranslation } from 'react-i18next'
import { addTexts } from '../../i18n/index.ts'
import type { en } from './en.ts'

declare module '../../i18n/index.ts' {
  interface Texts {
    readonly account: typeof en
  }
}

/** Loads the texts of the record of a person, which have to be there before it is shown. */
export function loadTexts(): Promise<void> {
  return addTexts('account', async (language) =>
    language === 'ja' ? (await import('./ja.ts')).ja : (await import('./en.ts')).en,
  )
}

/** Translates the texts of the record of a person. */
export function useTexts() {
  return useTranslation('account').t
}
export type AccountTexts = ReturnType<typeof useTexts>
