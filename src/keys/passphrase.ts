/** Wraps keys with AES-256-GCM under a key derived from a passphrase by scrypt (RFC 7914). */
import { randomBytes, type ScryptOptions, scrypt } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'
import { SECRET_BYTES } from './key.ts'
import { type KeyFacts, type KeyService, type MadeSecret, unprotected } from './key-service.ts'
import { keyringProtection, type Protection } from './keyring-file.ts'
import { unwrapSecret, wrapSecret } from './secret-wrapping.ts'

const KEY_BYTES = 32
const SALT_BYTES = 16
/** OWASP's recommendation for scrypt: 128 MiB and some tenths of a second each time the keyring is opened. */
const COST = { N: 2 ** 17, r: 8, p: 1 }
/** This program never writes larger parameters. */
const MAX_SCRYPT_BYTES = 1024 * 1024 * 1024
/** Memory of scrypt beyond 128·N·r bytes. */
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

/** Binds the secret to the rest of its file, so that it cannot be used as another key. */
function associated({ id, purpose, algorithm, createdAt, subject }: KeyFacts): Buffer {
  return Buffer.from(
    JSON.stringify(['akashi key 1', id, purpose, algorithm, createdAt.toISOString(), subject]),
  )
}

/** Opens the service of a keyring folder; without `keyring.json` the keyring is new. */
export async function openPassphraseService(
  root: string,
  passphrase: string | undefined,
): Promise<KeyService> {
  if (passphrase === '') {
    throw new AkashiError('invalid_config', 'the passphrase of the keyring is empty', {
      hint: 'set a passphrase, or leave it unset',
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

/** Writes nothing. */
async function unlock(kept: Protection, passphrase: string | undefined): Promise<KeyService> {
  if (kept.kind === 'none') {
    if (passphrase === undefined) return unprotected
    throw new AkashiError('invalid_config', 'a passphrase was given for a keyring that has none', {
      hint: 'leave the passphrase unset, or start a new keyring with it',
    })
  }
  if (kept.kind === 'aws-kms') {
    throw new AkashiError('invalid_config', 'the keys in this folder are wrapped by AWS KMS', {
      hint: 'open the keyring as awskms:KEY?folder=…, as it was created',
    })
  }
  if (passphrase === undefined) {
    throw new AkashiError('invalid_config', 'the keyring needs its passphrase', {
      hint: 'set KEYS_PASSPHRASE to the passphrase of the keyring',
    })
  }
  const key = await derive(passphrase, Buffer.from(kept.salt, 'base64'), kept)
  try {
    const check = unwrapSecret(key, Buffer.from(kept.check, 'base64'), Buffer.alloc(0))
    if (check.equals(CHECK)) return new PassphraseService(key)
  } catch {
    // Authentication failed; the cause adds nothing.
  }
  throw new AkashiError('unauthenticated', 'the passphrase of the keyring is wrong', {
    hint: 'no key was changed; try again with the passphrase of the keyring',
  })
}

async function derive(passphrase: string, salt: Buffer, cost: typeof COST): Promise<Buffer> {
  const memory = 128 * cost.N * cost.r
  if (memory > MAX_SCRYPT_BYTES) {
    throw new AkashiError('integrity', 'the scrypt parameters of the keyring are too large', {
      hint: 'restore keyring.json from a backup of the keyring',
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
