import { randomBytes } from 'node:crypto'
import { type Key, SECRET_BYTES } from './key.ts'

/** What a wrapped secret is bound to: everything about its key that is kept beside it. */
export type KeyFacts = Omit<Key, 'secret'>

export interface MadeSecret {
  /** 32 random bytes. */
  readonly secret: Uint8Array
  /** What is kept. */
  readonly wrapped: Uint8Array
}

/**
 * Who keeps the secret above all others: a passphrase, a cloud's key service, or nobody. It wraps the few
 * keys of the service itself; the keys of persons are wrapped by the `wrapping` keys among them.
 */
export interface KeyService {
  make(about: KeyFacts): Promise<MadeSecret>
  /**
   * Throws when the secret was wrapped for another key or a byte was changed; an AkashiError when the
   * service refuses or does not answer.
   */
  unwrap(wrapped: Uint8Array, about: KeyFacts): Promise<Uint8Array>
  close(): void
}

/** A folder alone protects the keys. */
export const unprotected: KeyService = {
  make: async () => {
    const secret = randomBytes(SECRET_BYTES)
    return { secret, wrapped: secret }
  },
  unwrap: async (wrapped) => wrapped,
  close: () => {},
}
