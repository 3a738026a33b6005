/**
 * The form of a key: `akashi_`, optionally an environment and `_`, then 59 letters and digits:
 *
 *   10  prefix, which identifies the key and is not secret
 *   43  secret, 256 random bits
 *    6  CRC-32 of everything before it, so that scanners can recognize keys
 *
 * All in base 62, most significant digit first.
 */
import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { AkashiError } from '../../foundation/index.ts'

/** For secret scanners; a match with a valid checksum ({@link parseApiKey}) is a key. Repeated in docs/access.md. */
export const API_KEY_PATTERN = /\bakashi_(?:[a-z]{2,10}_)?[0-9A-Za-z]{59}\b/

const BRAND = 'akashi_'
const PREFIX_DIGITS = 10
const SECRET_DIGITS = 43
const CHECKSUM_DIGITS = 6
/** Longest key, in characters. */
const MAX_KEY_CHARACTERS = BRAND.length + 11 + PREFIX_DIGITS + SECRET_DIGITS + CHECKSUM_DIGITS

const PREFIX_BYTES = 7
const SECRET_BYTES = 32
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const BASE = BigInt(digits.length)

const whole = new RegExp(`^${API_KEY_PATTERN.source.replaceAll('\\b', '')}$`)
const environmentPattern = /^[a-z]{2,10}$/

/** The stored parts of a key. */
export interface KeyIdentity {
  readonly prefix: string
  /** SHA-256 of the whole key, 64 hexadecimal digits. */
  readonly hash: string
}

export interface NewKey extends KeyIdentity {
  /** The key itself, shown only once. */
  readonly key: string
}

/** @throws AkashiError invalid_input for an environment that is not 2 to 10 lowercase letters */
export function makeApiKey(environment?: string): NewKey {
  if (environment !== undefined && !environmentPattern.test(environment)) {
    throw new AkashiError('invalid_input', 'the environment of a key is not valid', {
      hint: 'use 2 to 10 lowercase letters, such as live or test',
    })
  }
  const prefix = inBase62(randomBytes(PREFIX_BYTES), PREFIX_DIGITS)
  const secret = inBase62(randomBytes(SECRET_BYTES), SECRET_DIGITS)
  const body = `${BRAND}${environment === undefined ? '' : `${environment}_`}${prefix}${secret}`
  const key = body + checksum(body)
  return { key, prefix, hash: hashOf(key) }
}

/** Undefined if the format or checksum is invalid, which needs no database lookup. */
export function parseApiKey(presented: string): KeyIdentity | undefined {
  if (presented.length > MAX_KEY_CHARACTERS || !whole.test(presented)) return undefined
  const body = presented.slice(0, -CHECKSUM_DIGITS)
  if (checksum(body) !== presented.slice(-CHECKSUM_DIGITS)) return undefined
  const from = body.length - SECRET_DIGITS - PREFIX_DIGITS
  return { prefix: body.slice(from, from + PREFIX_DIGITS), hash: hashOf(presented) }
}

/** Whether a bearer token has the prefix of an API key, well-formed or not. */
export function looksLikeApiKey(presented: string): boolean {
  return presented.startsWith(BRAND)
}

function hashOf(key: string): string {
  return createHash('sha256').update(key, 'utf8').digest('hex')
}

function checksum(body: string): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(body))
  return inBase62(bytes, CHECKSUM_DIGITS)
}

function inBase62(bytes: Uint8Array, length: number): string {
  let rest = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  let text = ''
  for (let at = 0; at < length; at += 1) {
    text = (digits[Number(rest % BASE)] ?? '') + text
    rest /= BASE
  }
  return text
}
