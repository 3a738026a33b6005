import type { CosignerKey, Keyring } from '../../../keys/index.ts'

/** The witness's key in a keyring of its own. `name` is the witness's for good, e.g. `witness.example/w1`. */
export async function witnessKey(keyring: Keyring, name: string): Promise<CosignerKey> {
  const { id } = await keyring.ensure('witness')
  return { name, publicKey: await keyring.publicKey(id), sign: (message) => keyring.sign(id, message) }
}
