/**
 * The two languages. A part of the pages that is loaded later loads its own texts with
 * {@link addTexts} and declares them by augmenting {@link Texts}, so that their keys are checked too.
 */
import i18next, { type ResourceLanguage } from 'i18next'
import { initReactI18next } from 'react-i18next'
import type { en } from './en.ts'

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
    resources: {},
    // React escapes what it renders.
    interpolation: { escapeValue: false },
    initAsync: false,
  })
  await addTexts('shell', async (language) =>
    language === 'ja' ? (await import('./ja.ts')).ja : (await import('./en.ts')).en,
  )
}

/** Changes the language and remembers it on this device. */
export function setLanguage(language: Language): void {
  localStorage.setItem(STORED_AS, language)
  Promise.all([...parts].map(([namespace, load]) => loadInto(namespace, load, language)))
    .then(() => i18next.changeLanguage(language))
    // Without the network the texts may be missing; the page has them when it is loaded again.
    .catch(() => undefined)
}

type LoadTexts = (language: Language) => Promise<ResourceLanguage>

/** How to load the texts of each part whose texts were needed. */
const parts = new Map<string, LoadTexts>()

/** Loads the texts of a part in the language that is shown, and then in the others, which may be chosen later. */
export async function addTexts(namespace: string, load: LoadTexts): Promise<void> {
  parts.set(namespace, load)
  await loadInto(namespace, load, currentLanguage())
  void Promise.allSettled(languages.map((language) => loadInto(namespace, load, language)))
}

async function loadInto(namespace: string, load: LoadTexts, language: Language): Promise<void> {
  if (i18next.hasResourceBundle(language, namespace)) return
  i18next.addResourceBundle(language, namespace, await load(language))
}
