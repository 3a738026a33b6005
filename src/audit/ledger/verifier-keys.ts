import { AkashiError } from '../../foundation/index.ts'
import { type Keyring, type VerifierKey, verifyNote } from '../../keys/index.ts'

/** The verifier keys of every checkpoint key in a keyring, retired ones included, under a log's origin. */
export function verifierKeys(keyring: Keyring): (origin: string) => Promise<VerifierKey[]> {
  return async (origin) => {
    const keys = await keyring.list('checkpoint')
    return await Promise.all(
      keys.map(async (key) => ({ name: origin, publicKey: await keyring.publicKey(key.id) })),
    )
  }
}

/** Whether one of the keys signed the note. */
export function verifiesAny(note: string, keys: readonly VerifierKey[]): boolean {
  try {
    verifyNote(note, keys)
    return true
  } catch (error) {
    if (error instanceof AkashiError) return false
    throw error
  }
}
