import { AkashiError } from './errors.ts'

/** A reason that is recorded or signed. @throws AkashiError invalid_input unless it is one line of text */
export function requireReason(reason: string, what = 'the reason'): void {
  if (reason.trim() === '' || /\p{Cc}/u.test(reason)) {
    throw new AkashiError('invalid_input', `${what} is one line of text`)
  }
}
