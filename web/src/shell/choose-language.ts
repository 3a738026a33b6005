import { call } from '../api/index.ts'
import { type Language, setLanguage } from '../i18n/index.ts'

/** Changes the language at once, and in the account for what the server writes; that may fail without notice. */
export function chooseLanguage(locale: Language, signedIn: boolean): void {
  setLanguage(locale)
  if (signedIn) call('PATCH /v1/chat/preferences', { body: { locale } }).catch(() => undefined)
}
