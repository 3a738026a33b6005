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
  'timeout',
  'unavailable',
  'internal',
] satisfies Known[])

function isKnown(code: string): code is Known & 'internal' {
  return known.has(code)
}

/** What to tell somebody about an error, in their language. */
export function problemText(t: TFunction, error: unknown): string {
  if (!(error instanceof Problem)) return t('errors.internal')
  if (error.code === 'rate_limited') {
    return error.retryAfterSeconds === null
      ? t('errors.rate_limited')
      : t('errors.rate_limited_wait', { count: error.retryAfterSeconds })
  }
  return isKnown(error.code) ? t(`errors.${error.code}`) : t('errors.internal')
}
