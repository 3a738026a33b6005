import { useTranslation } from 'react-i18next'
import { addTexts } from '../../i18n/index.ts'
import { en } from './en.ts'
import { ja } from './ja.ts'

declare module '../../i18n/index.ts' {
  interface Texts {
    readonly chat: typeof en
  }
}

addTexts('chat', { en, ja })

/** Translates the texts of the chat. */
export function useTexts() {
  return useTranslation('chat').t
}
export type ChatTexts = ReturnType<typeof useTexts>
