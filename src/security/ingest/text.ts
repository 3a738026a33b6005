import { isUtf8 } from 'node:buffer'

const NUL = '\0'
/** Replacement for NUL, which PostgreSQL's text cannot store: U+2400, symbol for null. */
export const NUL_SYMBOL = '\u2400'

/** The text of `bytes`; null if it needs repair. */
export function decodeWhole(bytes: Uint8Array): string | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (!isUtf8(buffer)) return null
  const text = buffer.toString('utf8')
  return text.includes(NUL) ? null : text
}

/** The text of `bytes`, with U+FFFD for invalid UTF-8 and U+2400 for NUL. */
export function decode(bytes: Uint8Array): { readonly text: string; readonly repaired: boolean } {
  const whole = decodeWhole(bytes)
  if (whole !== null) return { text: whole, repaired: false }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  return { text: text.replaceAll(NUL, NUL_SYMBOL), repaired: true }
}

/** A string that PostgreSQL can store: without NUL and lone surrogates. */
export function storable(text: string): string {
  return text.replaceAll(NUL, NUL_SYMBOL).toWellFormed()
}
