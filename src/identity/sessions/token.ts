import { createHash, randomBytes } from 'node:crypto'

/** 256 random bits; ASVS 5.0 7.2.3 requires 128. */
const TOKEN_BYTES = 32

/** An opaque session token; the database stores only its SHA-256. */
export function newSessionToken(): { readonly token: string; readonly hash: Buffer } {
  const token = randomBytes(TOKEN_BYTES).toString('base64url')
  return { token, hash: hashOf(token) }
}

/** Null for a text that is not a token. */
export function sessionTokenHash(token: string): Buffer | null {
  return /^[\w-]{43}$/.test(token) ? hashOf(token) : null
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest()
}
