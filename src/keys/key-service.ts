import { randomBytes } from 'node:crypto'
import { type Key, SECRET_BYTES } from './key.ts'

/** The attributes of a key, to which its wrapped secret is bound. */
export type KeyFacts = Omit<Key, 'secret'>

export interface MadeSecret {
  /** 32 random bytes. */
  readonly secret: Uint8Array
  /** The stored form. */
  readonly wrapped: Uint8Array
}

/**
 * Holder of the root secret: a passphrase, a cloud KMS, or none. It wraps the few service keys; the `wrapping`
 * keys among them wrap the person keys.
 */
export interface KeyService {
  make(about: KeyFacts): Promise<MadeSecret>
  /**
   * Throws if the secret was wrapped for another key or changed; throws an AkashiError if the service refuses
   * or does not respond.
   */
  unwrap(wrapped: Uint8Array, about: KeyFacts): Promise<Uint8Array>
  close(): void
}

/** Protection by folder permissions only. */
export const unprotected: KeyService = {
  make: async () => {
    const secret = randomBytes(SECRET_BYTES)
    return { secret, wrapped: secret }
  },
  unwrap: async (wrapped) => wrapped,
  close: () => {},
}
