import { useTranslation } from 'react-i18next'
import { addTexts } from '../../i18n/index.ts'
import type { en } from './en.ts'

declare module '../../i18n/index.ts' {
  interface Texts {
    readonly chat: typeof en
  }
}

/** Loads the texts of the chat, which have to be there before it is shown. */
export function loadTexts(): Promise<void> {
  return addTexts('chat', async (language) =>
    language === 'ja' ? (await import('./ja.ts')).ja : (await import('./en.ts')).en,
  )
}

/** Translates the texts of the chat. */
export function useTexts() {
  return useTranslation('chat').t
}
export type ChatTexts = ReturnType<typeof useTexts>
