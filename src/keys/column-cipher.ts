/**
 * Encryption of one column value, AES-256-GCM (NIST SP 800-38D) under a person's key:
 *
 *   version 1 (1 byte) || UUID of the key's id (16) || nonce (12) || ciphertext || tag (16)
 *
 * Person, key, table, column and row are associated data, so a value moved elsewhere fails to decrypt. The nonce
 * is random; a person's key encrypts far fewer than the 2^32 values for which that is safe.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'

/** Location of an encrypted value: `akashi_auth.users`, `email`, the row's key as text. */
export interface Place {
  readonly table: string
  readonly column: string
  readonly row: string
}

const VERSION = 1
const KEY_UUID_BYTES = 16
const NONCE_BYTES = 12
const TAG_BYTES = 16
const NONCE_AT = 1 + KEY_UUID_BYTES
const TEXT_AT = NONCE_AT + NONCE_BYTES
const PREFIX = 'person-'

/** @param secret 32 bytes, the secret of the key `keyId` */
export function sealColumn(
  secret: Uint8Array,
  keyId: string,
  person: string,
  place: Place,
  plaintext: string,
): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', secret, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(associated(keyId, person, place))
  return Buffer.concat([
    Buffer.of(VERSION),
    Buffer.from(keyId.slice(PREFIX.length).replaceAll('-', ''), 'hex'),
    nonce,
    cipher.update(plaintext, 'utf8'),
    cipher.final(),
    cipher.getAuthTag(),
  ])
}

/** The id of the key that encrypts a value; `integrity` if the bytes have another format. */
export function keyIdOf(sealed: Uint8Array): string {
  if (sealed.length < TEXT_AT + TAG_BYTES || sealed[0] !== VERSION) {
    throw new AkashiError('integrity', 'an encrypted value has a format that this version cannot read', {
      hint: 'it was truncated, or written by a newer version',
    })
  }
  const hex = Buffer.from(sealed.subarray(1, NONCE_AT)).toString('hex')
  return `${PREFIX}${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** `integrity` if the bytes were changed or belong to another person, table, column or row. */
export function openColumn(secret: Uint8Array, person: string, place: Place, sealed: Uint8Array): string {
  const nonce = sealed.subarray(NONCE_AT, TEXT_AT)
  const decipher = createDecipheriv('aes-256-gcm', secret, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(associated(keyIdOf(sealed), person, place))
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    const text = Buffer.concat([decipher.update(sealed.subarray(TEXT_AT, -TAG_BYTES)), decipher.final()])
    return text.toString('utf8')
  } catch {
    throw new AkashiError('integrity', 'an encrypted value was changed or moved', {
      hint: 'it is damaged, or was moved from another person, table, column or row: check its history in the audit trail',
      detail: { table: place.table, column: place.column, row: place.row },
    })
  }
}

/** JSON is injective: different places never give the same bytes. */
function associated(keyId: string, person: string, { table, column, row }: Place): Buffer {
  return Buffer.from(JSON.stringify(['akashi column 1', keyId, person, table, column, row]))
}
