/**
 * Recovery codes for users who lost their authenticator, each valid once. With 120 random bits, SHA-256 is sufficient
 * (ASVS 5.0 6.5.2 requires a password hash only below 112 bits).
 */
import { createHash, randomBytes } from 'node:crypto'

const CODE_BYTES = 15
const GROUP = 6
/** Crockford's base 32: no I, L, O, U. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const BITS = 5

/** `XXXXXX-XXXXXX-XXXXXX-XXXXXX`, shown only once. */
export function newRecoveryCodes(count: number): string[] {
  return Array.from({ length: count }, newCode)
}

/** 32 bytes; characters that are easily confused are treated as equal. */
export function recoveryCodeDigest(code: string): Buffer {
  const canonical = code.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1')
  return createHash('sha256').update(canonical, 'utf8').digest()
}

function newCode(): string {
  let value = BigInt(`0x${randomBytes(CODE_BYTES).toString('hex')}`)
  let text = ''
  for (let i = 0; i < (CODE_BYTES * 8) / BITS; i += 1) {
    text += ALPHABET[Number(value % 32n)]
    value /= 32n
  }
  return text.match(new RegExp(`.{${GROUP}}`, 'g'))?.join('-') ?? text
}
