import { encodeVerifierKey, type Keyring } from '../../keys/index.ts'

/** The verifier keys of every checkpoint key in a keyring, retired ones included, under a log's origin. */
export function verifierKeys(keyring: Keyring): (origin: string) => Promise<string[]> {
  return async (origin) => {
    const keys = await keyring.list('checkpoint')
    return await Promise.all(keys.map(async (key) => encodeVerifierKey(origin, await keyring.publicKey(key.id))))
  }
}
