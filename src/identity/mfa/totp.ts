/**
 * Time-based one-time passwords (RFC 6238): six digits of HMAC-SHA1 over 30-second steps, which every authenticator
 * app supports. A code is valid in its step and within the clock skew that the policy allows, and only once per step
 * (ASVS 5.0 6.5.1): the caller stores the last accepted step.
 */
import { Secret, TOTP } from 'otpauth'

const PERIOD_S = 30
const DIGITS = 6
/** RFC 4226 4: 160 bits. */
const SECRET_BYTES = 20
const MS_PER_S = 1_000

export interface TotpSecret {
  /** For manual entry. */
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
 * The step of a code if it is correct and later than `lastStep`, else null. The caller must store an accepted step
 * before another request can compare with it.
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

/** The code at a given time, as an authenticator app shows it. */
export function totpCode(base32: string, now: Date): string {
  return generator(base32).generate({ timestamp: now.getTime() })
}
