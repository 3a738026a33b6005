import { createHmac } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'
import { keyIdOf, openColumn, type Place, sealColumn } from './column-cipher.ts'
import { INDEX_KEYS_MS } from './index-rotation.ts'
import type { Keyring } from './types.ts'

/** Encrypts personal columns under the key of the person concerned. */
export interface PersonVault {
  /** Returns the bytes for a bytea column. `conflict` if the person was erased. */
  encrypt(person: string, place: Place, plaintext: string): Promise<Uint8Array>
  /**
   * null if the person's key was destroyed. `integrity` if the bytes were changed or moved; `not_found` if the
   * keyring never had the key, which means a wrong or lost keyring, not an erasure.
   */
  decrypt(person: string, place: Place, ciphertext: Uint8Array): Promise<string | null>
  /**
   * HMAC-SHA-256 (32 bytes) of a value, for lookups and unique constraints on an encrypted column. Each purpose,
   * such as `akashi_auth.users.email`, has its own key. Normalise the value first.
   */
  blindIndex(purpose: string, value: string): Promise<Uint8Array>
  /** All possible indexes of a value: {@link blindIndex}, and during a rotation the one under the old key. */
  blindIndexes(purpose: string, value: string): Promise<readonly Uint8Array[]>
}

type VaultKeys = Pick<Keyring, 'ensure' | 'secret' | 'indexKeys'>

export function openPersonVault(keyring: VaultKeys): PersonVault {
  return new KeyringVault(keyring)
}

class KeyringVault implements PersonVault {
  readonly #keyring: VaultKeys
  /** Index keys, the active one first; cached briefly, since every lookup needs them. */
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
    const secret = await secretUnlessDestroyed(this.#keyring, keyIdOf(ciphertext))
    return secret === null ? null : openColumn(secret, person, place, ciphertext)
  }

  async blindIndex(purpose: string, value: string): Promise<Uint8Array> {
    const [index] = await this.blindIndexes(purpose, value)
    if (index === undefined) throw new AkashiError('internal', 'no blind index key')
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

/** null if the key was destroyed. */
export async function secretUnlessDestroyed(
  keyring: Pick<Keyring, 'secret'>,
  keyId: string,
): Promise<Uint8Array | null> {
  try {
    return await keyring.secret(keyId)
  } catch (error) {
    if (error instanceof AkashiError && error.code === 'not_found' && error.detail['destroyed'] === true) {
      return null
    }
    throw error
  }
}
