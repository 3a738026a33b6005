import { call } from '../api/index.ts'
import { type Language, setLanguage } from '../i18n/index.ts'

/** Shows it here at once. The account keeps it too, for what the server writes; that may fail unnoticed. */
export function chooseLanguage(locale: Language, signedIn: boolean): void {
  setLanguage(locale)
  if (signedIn) call('PATCH /v1/chat/preferences', { body: { locale } }).catch(() => undefined)
}
