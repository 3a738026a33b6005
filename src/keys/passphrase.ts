/** Keys wrapped by AES-256-GCM under a key that scrypt (RFC 7914) derives from a passphrase. */
import { randomBytes, type ScryptOptions, scrypt } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'
import { SECRET_BYTES } from './key.ts'
import { type KeyFacts, type KeyService, type MadeSecret, unprotected } from './key-service.ts'
import { keyringProtection, type Protection } from './keyring-file.ts'
import { unwrapSecret, wrapSecret } from './secret-wrapping.ts'

const KEY_BYTES = 32
const SALT_BYTES = 16
/** OWASP's recommendation for scrypt: 128 MiB and some tenths of a second, once per opening. */
const COST = { N: 2 ** 17, r: 8, p: 1 }
/** A keyring that asks for more was not written by this program. */
const MAX_SCRYPT_BYTES = 1024 * 1024 * 1024
/** What scrypt needs beside its 128·N·r bytes. */
const SCRYPT_SLACK_BYTES = 1024 * 1024
const CHECK = Buffer.from('akashi keyring 1')

class PassphraseService implements KeyService {
  readonly #key: Buffer

  constructor(key: Buffer) {
    this.#key = key
  }

  async make(about: KeyFacts): Promise<MadeSecret> {
    const secret = randomBytes(SECRET_BYTES)
    return { secret, wrapped: wrapSecret(this.#key, secret, associated(about)) }
  }

  async unwrap(wrapped: Uint8Array, about: KeyFacts): Promise<Uint8Array> {
    return unwrapSecret(this.#key, wrapped, associated(about))
  }

  close(): void {
    this.#key.fill(0)
  }
}

/** The secret is bound to everything else in its file, so that no wrapped secret can pose as another key's. */
function associated({ id, purpose, algorithm, createdAt, subject }: KeyFacts): Buffer {
  return Buffer.from(
    JSON.stringify(['akashi key 1', id, purpose, algorithm, createdAt.toISOString(), subject]),
  )
}

/** The service of a folder's keyring, which is new when it has no `keyring.json`. */
export async function openPassphraseService(
  root: string,
  passphrase: string | undefined,
): Promise<KeyService> {
  if (passphrase === '') {
    throw new AkashiError('invalid_config', 'the passphrase of the keyring is empty', {
      hint: 'give a passphrase, or none at all',
    })
  }
  return unlock(await keyringProtection(root, () => newProtection(passphrase)), passphrase)
}

async function newProtection(passphrase: string | undefined): Promise<Protection> {
  if (passphrase === undefined) return { kind: 'none' }
  const salt = randomBytes(SALT_BYTES)
  const key = await derive(passphrase, salt, COST)
  const check = wrapSecret(key, CHECK, Buffer.alloc(0)).toString('base64')
  key.fill(0)
  return { kind: 'scrypt', salt: salt.toString('base64'), ...COST, check }
}

/** Nothing is written, whatever the passphrase. */
async function unlock(kept: Protection, passphrase: string | undefined): Promise<KeyService> {
  if (kept.kind === 'none') {
    if (passphrase === undefined) return unprotected
    throw new AkashiError('invalid_config', 'a passphrase was given for a keyring that has none', {
      hint: 'leave the passphrase out, or start a new keyring with it',
    })
  }
  if (kept.kind === 'aws-kms') {
    throw new AkashiError('invalid_config', 'the keys of this folder are wrapped by AWS KMS', {
      hint: 'name the keyring as awskms:KEY?folder=…, as when it was made',
    })
  }
  if (passphrase === undefined) {
    throw new AkashiError('invalid_config', 'the keyring needs its passphrase', {
      hint: 'give the passphrase that the keyring was made with',
    })
  }
  const key = await derive(passphrase, Buffer.from(kept.salt, 'base64'), kept)
  try {
    const check = unwrapSecret(key, Buffer.from(kept.check, 'base64'), Buffer.alloc(0))
    if (check.equals(CHECK)) return new PassphraseService(key)
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
