import { AkashiError } from '../foundation/index.ts'

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$/

/** @throws AkashiError invalid_input unless both are times with a zone, the first one earlier */
export function rangeOf({ from, to }: { readonly from: string; readonly to: string }): {
  readonly from: string
  readonly to: string
} {
  for (const time of [from, to]) {
    if (!TIME.test(time) || Number.isNaN(Date.parse(time))) {
      throw new AkashiError('invalid_input', `${time.slice(0, 40)} is not a time`, {
        hint: 'write it like 2026-01-31T00:00:00Z',
      })
    }
  }
  if (Date.parse(from) >= Date.parse(to))
    throw new AkashiError('invalid_input', 'the range ends before it begins')
  return { from, to }
}
