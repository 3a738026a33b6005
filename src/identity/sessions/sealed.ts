/**
 * What a browser carries between two steps of signing in, encrypted and bound to its purpose and time, so
 * that any node can go on and nothing has to be stored: JWE with AES-256-GCM (RFC 7516).
 */
import { EncryptJWT, errors, jwtDecrypt } from 'jose'
import { z } from 'zod'
import type { PersonVault } from '../../keys/index.ts'

export interface Sealer {
  seal(purpose: string, content: object, lifetimeS: number): Promise<string>
  /** Null when it was changed, is older than its lifetime, or was sealed for something else. */
  open<T>(purpose: string, sealed: string, schema: z.ZodType<T>): Promise<T | null>
}

const envelope = z.looseObject({ content: z.unknown() })

/** The key follows from the keyring, so all nodes of one keyring have the same. */
export function openSealer(vault: Pick<PersonVault, 'blindIndex'>): Sealer {
  let key: Promise<Uint8Array> | undefined
  const secret = async () => {
    key ??= vault.blindIndex('auth.sealed', 'AES-256-GCM key 1').catch((error: unknown) => {
      key = undefined
      throw error
    })
    return Uint8Array.from(await key)
  }
  return {
    seal: async (purpose, content, lifetimeS) =>
      new EncryptJWT({ content })
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .setAudience(purpose)
        .setExpirationTime(`${lifetimeS} s`)
        .encrypt(await secret()),
    open: async (purpose, sealed, schema) => {
      try {
        const { payload } = await jwtDecrypt(sealed, await secret(), {
          audience: purpose,
          requiredClaims: ['exp'],
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ['A256GCM'],
        })
        return schema.safeParse(envelope.parse(payload).content).data ?? null
      } catch (error) {
        if (error instanceof errors.JOSEError) return null
        throw error
      }
    },
  }
}
