/**
 * The two languages. A part of the pages that is loaded later adds its own texts with
 * {@link addTexts} and declares them by augmenting {@link Texts}, so that their keys are checked too.
 */
import i18next, { type ResourceLanguage } from 'i18next'
import { initReactI18next } from 'react-i18next'
import { en } from './en.ts'
import { ja } from './ja.ts'

export type { Translated } from './translated.ts'

export interface Texts {
  readonly shell: typeof en
}

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'shell'
    resources: Texts
  }
}

export const languages = ['ja', 'en'] as const
export type Language = (typeof languages)[number]

const STORED_AS = 'akashi.language'

export function isLanguage(value: unknown): value is Language {
  return value === 'ja' || value === 'en'
}

/** The language chosen on this device; null when none was. */
export function chosenLanguage(): Language | null {
  const chosen = localStorage.getItem(STORED_AS)
  return isLanguage(chosen) ? chosen : null
}

export function currentLanguage(): Language {
  return isLanguage(i18next.language) ? i18next.language : 'en'
}

export async function startTexts(): Promise<void> {
  const preferred = navigator.languages.map((tag) => tag.slice(0, 2)).find(isLanguage)
  i18next.on('languageChanged', (language) => {
    document.documentElement.lang = language
  })
  await i18next.use(initReactI18next).init({
    lng: chosenLanguage() ?? preferred ?? 'en',
    fallbackLng: 'en',
    ns: ['shell'],
    defaultNS: 'shell',
    resources: { en: { shell: en }, ja: { shell: ja } },
    // React escapes what it renders.
    interpolation: { escapeValue: false },
    initAsync: false,
  })
}

/** Changes the language at once and remembers it on this device. */
export function setLanguage(language: Language): void {
  localStorage.setItem(STORED_AS, language)
  void i18next.changeLanguage(language)
}

export function addTexts(namespace: string, texts: Readonly<Record<Language, ResourceLanguage>>): void {
  for (const language of languages) i18next.addResourceBundle(language, namespace, texts[language])
}
