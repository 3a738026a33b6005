import type { Keyring, VerifierKey } from '../../keys/index.ts'

/** The verifier keys of every checkpoint key in a keyring, retired ones included, under a log's origin. */
export function verifierKeys(keyring: Keyring): (origin: string) => Promise<VerifierKey[]> {
  return async (origin) => {
    const keys = await keyring.list('checkpoint')
    return await Promise.all(
      keys.map(async (key) => ({ name: origin, publicKey: await keyring.publicKey(key.id) })),
    )
  }
}
