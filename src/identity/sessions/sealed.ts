/**
 * Encrypts the state that a browser carries between two steps of sign-in, bound to its purpose and lifetime, so that
 * any server can continue and nothing has to be stored: JWE with AES-256-GCM (RFC 7516).
 */
import { EncryptJWT, errors, jwtDecrypt } from 'jose'
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import type { PersonVault } from '../../keys/index.ts'

export interface Sealer {
  seal(purpose: string, content: object, lifetimeS: number): Promise<string>
  /** Null when it was changed, has expired, or was sealed for another purpose. */
  open<T>(purpose: string, sealed: string, schema: z.ZodType<T>): Promise<T | null>
}

const envelope = z.looseObject({ content: z.unknown() })

/** The key is derived from the keyring, so all servers with the same keyring share it. */
export function openSealer(vault: Pick<PersonVault, 'blindIndexes'>): Sealer {
  /** The active key first; two during a rotation of the keyring's key. */
  const secrets = async () =>
    (await vault.blindIndexes('auth.sealed', 'AES-256-GCM key 1')).map((secret) => Uint8Array.from(secret))
  return {
    seal: async (purpose, content, lifetimeS) => {
      const [secret] = await secrets()
      if (secret === undefined) throw new AkashiError('internal', 'there is no key to seal with')
      return await new EncryptJWT({ content })
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .setAudience(purpose)
        .setExpirationTime(`${lifetimeS} s`)
        .encrypt(secret)
    },
    open: async (purpose, sealed, schema) => {
      for (const secret of await secrets()) {
        try {
          const { payload } = await jwtDecrypt(sealed, secret, {
            audience: purpose,
            requiredClaims: ['exp'],
            keyManagementAlgorithms: ['dir'],
            contentEncryptionAlgorithms: ['A256GCM'],
          })
          return schema.safeParse(envelope.parse(payload).content).data ?? null
        } catch (error) {
          if (!(error instanceof errors.JOSEError)) throw error
        }
      }
      return null
    },
  }
}
