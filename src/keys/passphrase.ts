/** Keys wrapped by AES-256-GCM under a key that scrypt (RFC 7914) derives from a passphrase. */
import { createCipheriv, createDecipheriv, randomBytes, type ScryptOptions, scrypt } from 'node:crypto'
import { z } from 'zod'
import { AkashiError } from '../foundation/index.ts'

const KEY_BYTES = 32
const SALT_BYTES = 16
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** OWASP's recommendation for scrypt: 128 MiB and some tenths of a second, once per opening. */
const COST = { N: 2 ** 17, r: 8, p: 1 }
/** A keyring that asks for more was not written by this program. */
const MAX_SCRYPT_BYTES = 1024 * 1024 * 1024
/** What scrypt needs beside its 128·N·r bytes. */
const SCRYPT_SLACK_BYTES = 1024 * 1024
const CHECK = Buffer.from('akashi keyring 1')

export const protection = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({
    kind: z.literal('scrypt'),
    salt: z.base64(),
    N: z.int().positive(),
    r: z.int().positive(),
    p: z.int().positive().max(16),
    check: z.base64(),
  }),
])
export type Protection = z.infer<typeof protection>

export class Wrapping {
  readonly #key: Buffer

  constructor(key: Buffer) {
    this.#key = key
  }

  /** nonce (12 bytes) || ciphertext || tag (16 bytes). */
  wrap(secret: Uint8Array, associated: Uint8Array): Buffer {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(associated)
    return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()])
  }

  /** Throws when the passphrase is another, or a byte was changed. */
  unwrap(wrapped: Uint8Array, associated: Uint8Array): Buffer {
    const nonce = wrapped.subarray(0, NONCE_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(associated)
    decipher.setAuthTag(wrapped.subarray(-TAG_BYTES))
    return Buffer.concat([decipher.update(wrapped.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
  }

  forget(): void {
    this.#key.fill(0)
  }
}

export async function newProtection(passphrase: string | undefined): Promise<Protection> {
  if (passphrase === undefined) return { kind: 'none' }
  const salt = randomBytes(SALT_BYTES)
  const wrapping = new Wrapping(await derive(passphrase, salt, COST))
  const check = wrapping.wrap(CHECK, Buffer.alloc(0)).toString('base64')
  wrapping.forget()
  return { kind: 'scrypt', salt: salt.toString('base64'), ...COST, check }
}

/** null for a keyring without a passphrase. Nothing is written, whatever the passphrase. */
export async function unlock(kept: Protection, passphrase: string | undefined): Promise<Wrapping | null> {
  if (kept.kind === 'none') {
    if (passphrase === undefined) return null
    throw new AkashiError('invalid_config', 'a passphrase was given for a keyring that has none', {
      hint: 'leave the passphrase out, or start a new keyring with it',
    })
  }
  if (passphrase === undefined) {
    throw new AkashiError('invalid_config', 'the keyring needs its passphrase', {
      hint: 'give the passphrase that the keyring was made with',
    })
  }
  const wrapping = new Wrapping(await derive(passphrase, Buffer.from(kept.salt, 'base64'), kept))
  try {
    if (wrapping.unwrap(Buffer.from(kept.check, 'base64'), Buffer.alloc(0)).equals(CHECK)) return wrapping
  } catch {
    // Authentication failed: told below, without a cause that says nothing more.
  }
  throw new AkashiError('unauthenticated', 'the passphrase of the keyring is wrong', {
    hint: 'no key was touched; try again with the passphrase that the keyring was made with',
  })
}

async function derive(passphrase: string, salt: Buffer, cost: typeof COST): Promise<Buffer> {
  const memory = 128 * cost.N * cost.r
  if (memory > MAX_SCRYPT_BYTES) {
    throw new AkashiError('integrity', 'the keyring asks for more memory than any passphrase needs', {
      hint: "restore keyring.json from the keyring's own backup",
    })
  }
  const options: ScryptOptions = {
    N: cost.N,
    r: cost.r,
    p: cost.p,
    maxmem: memory + 128 * cost.r * cost.p + SCRYPT_SLACK_BYTES,
  }
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), salt, KEY_BYTES, options, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}
