import { createHmac } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'
import { keyIdOf, openColumn, type Place, sealColumn } from './column-cipher.ts'
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
   * purpose, such as `auth.users.email`, has a key of its own. Normalise the value first.
   */
  blindIndex(purpose: string, value: string): Promise<Uint8Array>
}

export function openPersonVault(keyring: Pick<Keyring, 'ensure' | 'secret'>): PersonVault {
  return new KeyringVault(keyring)
}

class KeyringVault implements PersonVault {
  readonly #keyring: Pick<Keyring, 'ensure' | 'secret'>
  /** The keyring's blind-index key, kept for the life of the vault: every lookup needs it. */
  #indexSecret: Promise<Uint8Array> | undefined

  constructor(keyring: Pick<Keyring, 'ensure' | 'secret'>) {
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
    this.#indexSecret ??= this.#readIndexSecret()
    const secret = await this.#indexSecret
    const key = createHmac('sha256', secret).update(`akashi blind index 1\n${purpose}`).digest()
    return createHmac('sha256', key).update(value).digest()
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

  async #readIndexSecret(): Promise<Uint8Array> {
    try {
      const { id } = await this.#keyring.ensure('blind-index')
      return await this.#keyring.secret(id)
    } catch (error) {
      this.#indexSecret = undefined
      throw error
    }
  }
}
