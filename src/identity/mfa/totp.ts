/**
 * Time-based one-time passwords (RFC 6238): six digits of HMAC-SHA1 over 30-second steps, which is what
 * every authenticator app reads. A code counts in its own step and in those that policy allows a clock to
 * be off by, and each step once (ASVS 5.0 6.5.1): the caller keeps the last step that was accepted.
 */
import { Secret, TOTP } from 'otpauth'

const PERIOD_S = 30
const DIGITS = 6
/** RFC 4226 4: 160 bits. */
const SECRET_BYTES = 20
const MS_PER_S = 1_000

export interface TotpSecret {
  /** For those who type it. */
  readonly base32: string
  /** For the QR code: `otpauth://totp/…`. */
  readonly uri: string
}

function generator(base32: string, names?: { readonly issuer: string; readonly account: string }): TOTP {
  return new TOTP({
    secret: Secret.fromBase32(base32),
    algorithm: 'SHA1',
    digits: DIGITS,
    period: PERIOD_S,
    ...(names === undefined ? {} : { issuer: names.issuer, label: names.account }),
  })
}

export function newTotpSecret(names: { readonly issuer: string; readonly account: string }): TotpSecret {
  const { base32 } = new Secret({ size: SECRET_BYTES })
  return { base32, uri: generator(base32, names).toString() }
}

/**
 * The step that a code belongs to, when it is right and later than `lastStep`; else null. Whoever accepts
 * it must store the step in the same statement that compares it, so that two requests cannot share it.
 */
export function totpStep(
  base32: string,
  code: string,
  now: Date,
  { lastStep, skewSteps }: { readonly lastStep: number; readonly skewSteps: number },
): number | null {
  if (!/^\d{6}$/.test(code)) return null
  const timestamp = now.getTime()
  const delta = generator(base32).validate({ token: code, timestamp, window: skewSteps })
  if (delta === null) return null
  const step = Math.floor(timestamp / MS_PER_S / PERIOD_S) + delta
  return step <= lastStep ? null : step
}

/** The code of a moment, as the person's app shows it. */
export function totpCode(base32: string, now: Date): string {
  return generator(base32).generate({ timestamp: now.getTime() })
}
