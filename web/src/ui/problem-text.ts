import type { TFunction } from 'i18next'
import { Problem } from '../api/index.ts'
import type { en } from '../i18n/en.ts'

type Known = keyof typeof en.errors

const known = new Set<string>([
  'network',
  'unauthenticated',
  'forbidden',
  'not_found',
  'already_exists',
  'conflict',
  'invalid_input',
  'too_large',
  'rate_limited',
  'timeout',
  'unavailable',
  'internal',
] satisfies Known[])

function isKnown(code: string): code is Known & 'internal' {
  return known.has(code)
}

/** The message for an error, in the reader’s language. */
export function problemText(t: TFunction, error: unknown): string {
  if (!(error instanceof Problem)) return t('errors.internal')
  if (error.code === 'rate_limited' && error.retryAfterSeconds !== null) {
    return t('errors.rate_limited_wait', { count: error.retryAfterSeconds })
  }
  return codeText(t, error.code)
}

/** The message for an error code of the server. */
export function codeText(t: TFunction, code: string): string {
  return isKnown(code) ? t(`errors.${code}`) : t('errors.internal')
}
