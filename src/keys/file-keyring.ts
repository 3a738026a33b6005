/**
 * The local keyring: a folder that only its owner can access.
 *
 *   keyring.json           what wraps the service keys: nothing, a passphrase or a cloud KMS
 *   keys/, slots/          service keys (service-keys.ts)
 *   persons/, replacing/, erased/
 *                          keys of persons and encrypted rooms (person-keys.ts)
 *   rotation.json, index-rotation.json
 *                          a rotation of the wrapping key or index key in progress
 *   destroying/<id>…       a key being destroyed, no longer visible
 *   temp/                  files being written
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AkashiError, type Clock, errno, folderOfFileUrl, systemClock } from '../foundation/index.ts'
import { publicKeyOf, signEd25519 } from './ed25519.ts'
import { beginIndexRotation, endIndexRotation, indexKeys } from './index-rotation.ts'
import { isKeyId, type Key } from './key.ts'
import type { KeyService } from './key-service.ts'
import { mlDsaPublicKeyOf, signMlDsa } from './ml-dsa.ts'
import { openPassphraseService } from './passphrase.ts'
import { isOwnedPurpose, ownedPurposeOf } from './person-key-file.ts'
import { infoOf as infoOfPerson, PersonKeys } from './person-keys.ts'
import { preparePrivateFolder, shred, shredLeftovers } from './private-files.ts'
import { countPersonKeys, isRotating, rotateWrapping } from './rotation.ts'
import { infoOf, ServiceKeys } from './service-keys.ts'
import type {
  IndexKeys,
  KeyInfo,
  KeyPurpose,
  Keyring,
  PersonKeyCounts,
  RotationOptions,
  RotationResult,
} from './types.ts'

const FOLDERS = ['keys', 'slots', 'destroying', 'temp'] as const

export interface KeyringOptions {
  /** Wraps every key of a `file:` keyring; fixed when the keyring is created. */
  readonly passphrase?: string
  readonly clock?: Clock
}

export function openFileKeyring(url: string, options: KeyringOptions): Promise<Keyring> {
  const root = folderOfFileUrl(url)
  return openFolder(root, `file:${root}`, options, () => openPassphraseService(root, options.passphrase))
}

/** A keyring in a folder whose service keys are wrapped by `service`, opened once the folder exists. */
export async function openFolder(
  root: string,
  location: string,
  { clock = systemClock }: Pick<KeyringOptions, 'clock'>,
  openService: () => Promise<KeyService>,
): Promise<Keyring> {
  try {
    await preparePrivateFolder(root)
    for (const folder of FOLDERS) await preparePrivateFolder(join(root, folder))
    const service = await openService()
    await shredLeftovers(join(root, 'temp'))
    const own = new ServiceKeys(root, service, clock)
    const wrapping = { active: () => own.ensure('wrapping'), read: (id: string) => own.get(id) }
    const persons = new PersonKeys(root, wrapping, clock)
    for (const name of await readdir(join(root, 'destroying')))
      if (isKeyId(name)) await shred(join(root, 'destroying', name))
    await persons.open()
    return new FileKeyring(root, location, service, own, persons)
  } catch (error) {
    throw asKeyringError(error)
  }
}

class FileKeyring implements Keyring {
  readonly location: string
  readonly #root: string
  readonly #service: KeyService
  readonly #own: ServiceKeys
  readonly #persons: PersonKeys
  #closed = false

  constructor(root: string, location: string, service: KeyService, own: ServiceKeys, persons: PersonKeys) {
    this.location = location
    this.#root = root
    this.#service = service
    this.#own = own
    this.#persons = persons
  }

  ensure(purpose: KeyPurpose, subject?: string): Promise<KeyInfo> {
    return this.#run(async () => {
      if (isOwnedPurpose(purpose)) return await this.#persons.ensure(purpose, subject)
      if (subject === undefined) return infoOf(await this.#own.ensure(purpose), 'active')
      throw new AkashiError('invalid_input', `a ${purpose} key has no subject`)
    })
  }

  list(purpose?: KeyPurpose): Promise<readonly KeyInfo[]> {
    return this.#run(async () => {
      if (!isOwnedPurpose(purpose)) return await this.#own.list(purpose)
      const infos: KeyInfo[] = []
      for await (const { id, file } of this.#persons.all())
        if (file.kind === 'key' && ownedPurposeOf(id) === purpose) infos.push(infoOfPerson(file))
      return infos
    })
  }

  sign(keyId: string, message: Uint8Array): Promise<Uint8Array> {
    return this.#run(async () => {
      const key = await this.#signingKey(keyId)
      if (!(await this.#own.isActive(key))) {
        throw new AkashiError('conflict', 'the key is retired and cannot sign', {
          hint: 'sign with the active key of its purpose',
          detail: { keyId },
        })
      }
      return key.algorithm === 'ml-dsa-44' ? signMlDsa(key.secret, message) : signEd25519(key.secret, message)
    })
  }

  publicKey(keyId: string): Promise<Uint8Array> {
    return this.#run(async () => {
      const { algorithm, secret } = await this.#signingKey(keyId)
      return algorithm === 'ml-dsa-44' ? mlDsaPublicKeyOf(secret) : publicKeyOf(secret)
    })
  }

  secret(keyId: string): Promise<Uint8Array> {
    return this.#run(async () => {
      assertKeyId(keyId)
      if (ownedPurposeOf(keyId) !== undefined) return await this.#persons.secret(keyId)
      const key = await this.#own.get(keyId)
      // A copy: the keyring erases its own when it is closed.
      if (!isSigningKey(key)) return Buffer.from(key.secret)
      throw new AkashiError('forbidden', 'the secret of a signing key cannot leave the keyring', {
        hint: 'sign with the keyring instead',
        detail: { keyId },
      })
    })
  }

  rotate(purpose: KeyPurpose): Promise<KeyInfo> {
    return this.#run(async () => {
      if (!isOwnedPurpose(purpose)) return infoOf(await this.#own.rotate(purpose), 'active')
      throw new AkashiError('invalid_input', `a ${purpose}'s key can only be destroyed, not rotated`)
    })
  }

  rotateWrapping(options: RotationOptions = {}): Promise<RotationResult> {
    return this.#run(() => rotateWrapping(this.#root, this.#own, this.#persons, options))
  }

  countPersonKeys(options: Pick<RotationOptions, 'signal'> = {}): Promise<PersonKeyCounts> {
    return this.#run(() => countPersonKeys(this.#root, this.#persons, options))
  }

  isRotating(): Promise<boolean> {
    return this.#run(() => isRotating(this.#root))
  }

  indexKeys(): Promise<IndexKeys> {
    return this.#run(() => indexKeys(this.#root, this.#own))
  }

  beginIndexRotation(): Promise<{ readonly keyId: string; readonly resumed: boolean }> {
    return this.#run(() => beginIndexRotation(this.#root, this.#own))
  }

  endIndexRotation(): Promise<void> {
    return this.#run(() => endIndexRotation(this.#root))
  }

  state(keyId: string): Promise<'present' | 'destroyed' | 'unknown'> {
    return this.#run(async () => {
      assertKeyId(keyId)
      if (ownedPurposeOf(keyId) !== undefined) return await this.#persons.state(keyId)
      return (await this.#own.has(keyId)) ? 'present' : 'unknown'
    })
  }

  destroy(keyId: string): Promise<void> {
    return this.#run(async () => {
      assertKeyId(keyId)
      await (ownedPurposeOf(keyId) !== undefined ? this.#persons.destroy(keyId) : this.#own.destroy(keyId))
    })
  }

  destroyed(): Promise<ReadonlySet<string>> {
    return this.#run(() => this.#persons.destroyed())
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#persons.close()
    this.#own.close()
    this.#service.close()
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new AkashiError('conflict', 'the keyring is closed')
    try {
      return await work()
    } catch (error) {
      throw asKeyringError(error)
    }
  }

  async #signingKey(keyId: string): Promise<Key> {
    assertKeyId(keyId)
    const key = ownedPurposeOf(keyId) !== undefined ? null : await this.#own.get(keyId)
    if (key !== null && isSigningKey(key)) return key
    throw new AkashiError('invalid_input', 'the key is not a signing key', { detail: { keyId } })
  }
}

function isSigningKey({ algorithm }: Key): boolean {
  return algorithm === 'ed25519' || algorithm === 'ml-dsa-44'
}

function assertKeyId(keyId: string): void {
  if (!isKeyId(keyId)) throw new AkashiError('invalid_input', 'not a valid key id')
}

/** Converts a failed system call to an AkashiError; returns other errors unchanged. */
function asKeyringError(error: unknown): unknown {
  const code = errno(error)
  if (error instanceof AkashiError || code === undefined) return error
  return new AkashiError('unavailable', `the keyring cannot be used (${code})`, {
    hint: 'its folder must be readable and writable by this process only',
    cause: error,
    detail: { code },
  })
}
