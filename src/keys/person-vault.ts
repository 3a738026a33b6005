import { createHmac } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'
import { keyIdOf, openColumn, type Place, sealColumn } from './column-cipher.ts'
import { INDEX_KEYS_MS } from './index-rotation.ts'
import type { Keyring } from './types.ts'

/** Personal columns: encrypted under the key of the person whom they are about. */
export interface PersonVault {
  /** Bytes for a column of type bytea. `conflict` when the person was erased. */
  encrypt(person: string, place: Place, plaintext: string): Promise<Uint8Array>
  /**
   * null when the person's key was destroyed. `integrity` when the bytes were changed or stand elsewhere;
   * `not_found` when the keyring never had the key, which is a wrong or lost keyring and no erasure.
   */
  decrypt(person: string, place: Place, ciphertext: Uint8Array): Promise<string | null>
  /**
   * HMAC-SHA-256 (32 bytes) of a value, by which an encrypted column is looked up and kept unique. Each
   * purpose, such as `akashi_auth.users.email`, has a key of its own. Normalise the value first.
   */
  blindIndex(purpose: string, value: string): Promise<Uint8Array>
  /** What a value may stand under: {@link blindIndex}, and while the key is being rotated the one of before. */
  blindIndexes(purpose: string, value: string): Promise<readonly Uint8Array[]>
}

type VaultKeys = Pick<Keyring, 'ensure' | 'secret' | 'indexKeys'>

export function openPersonVault(keyring: VaultKeys): PersonVault {
  return new KeyringVault(keyring)
}

class KeyringVault implements PersonVault {
  readonly #keyring: VaultKeys
  /** The keys of indexes, the active one first, kept for a moment: every lookup needs them. */
  #indexSecrets: Promise<readonly Uint8Array[]> | undefined
  #indexUntil = 0

  constructor(keyring: VaultKeys) {
    this.#keyring = keyring
  }

  async encrypt(person: string, place: Place, plaintext: string): Promise<Uint8Array> {
    const { id } = await this.#keyring.ensure('person', person)
    return sealColumn(await this.#keyring.secret(id), id, person, place, plaintext)
  }

  async decrypt(person: string, place: Place, ciphertext: Uint8Array): Promise<string | null> {
    const secret = await this.#secretUnlessDestroyed(keyIdOf(ciphertext))
    return secret === null ? null : openColumn(secret, person, place, ciphertext)
  }

  async blindIndex(purpose: string, value: string): Promise<Uint8Array> {
    const [index] = await this.blindIndexes(purpose, value)
    if (index === undefined) throw new AkashiError('internal', 'there is no key for blind indexes')
    return index
  }

  async blindIndexes(purpose: string, value: string): Promise<readonly Uint8Array[]> {
    return (await this.#secrets()).map((secret) => {
      const key = createHmac('sha256', secret).update(`akashi blind index 1\n${purpose}`).digest()
      return createHmac('sha256', key).update(value).digest()
    })
  }

  #secrets(): Promise<readonly Uint8Array[]> {
    if (this.#indexSecrets === undefined || performance.now() > this.#indexUntil) {
      this.#indexUntil = performance.now() + INDEX_KEYS_MS
      this.#indexSecrets = this.#readIndexSecrets()
    }
    return this.#indexSecrets
  }

  async #secretUnlessDestroyed(keyId: string): Promise<Uint8Array | null> {
    try {
      return await this.#keyring.secret(keyId)
    } catch (error) {
      if (error instanceof AkashiError && error.code === 'not_found' && error.detail['destroyed'] === true) {
        return null
      }
      throw error
    }
  }

  async #readIndexSecrets(): Promise<readonly Uint8Array[]> {
    try {
      const { active, former } = await this.#keyring.indexKeys()
      const ids = former === null ? [active] : [active, former]
      return await Promise.all(ids.map((id) => this.#keyring.secret(id)))
    } catch (error) {
      this.#indexSecrets = undefined
      throw error
    }
  }
}
