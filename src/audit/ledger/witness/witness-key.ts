import type { CosignerKey, Keyring } from '../../../keys/index.ts'

export const witnessAlgorithms = ['ed25519', 'ml-dsa-44'] as const
export type WitnessAlgorithm = (typeof witnessAlgorithms)[number]

/**
 * The witness's key in its own keyring. `name` belongs to the witness permanently, e.g. `witness.example/w1`.
 */
export async function witnessKey(
  keyring: Keyring,
  name: string,
  algorithm: WitnessAlgorithm = 'ed25519',
): Promise<CosignerKey> {
  const { id } = await keyring.ensure(algorithm === 'ed25519' ? 'witness' : 'post-quantum-witness')
  return { name, publicKey: await keyring.publicKey(id), sign: (message) => keyring.sign(id, message) }
}
