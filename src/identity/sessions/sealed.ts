/**
 * What a browser carries between two steps of signing in, encrypted and bound to its purpose and time, so
 * that any node can go on and nothing has to be stored: JWE with AES-256-GCM (RFC 7516).
 */
import { EncryptJWT, errors, jwtDecrypt } from 'jose'
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'
import type { PersonVault } from '../../keys/index.ts'

export interface Sealer {
  seal(purpose: string, content: object, lifetimeS: number): Promise<string>
  /** Null when it was changed, is older than its lifetime, or was sealed for something else. */
  open<T>(purpose: string, sealed: string, schema: z.ZodType<T>): Promise<T | null>
}

const envelope = z.looseObject({ content: z.unknown() })

/** The key follows from the keyring, so all nodes of one keyring have the same. */
export function openSealer(vault: Pick<PersonVault, 'blindIndexes'>): Sealer {
  /** The active one first; two while the key of the keyring is being rotated. */
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
