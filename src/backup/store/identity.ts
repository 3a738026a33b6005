/** age encoding of X25519 keys: bech32 (BIP 173) of 32 bytes, https://age-encryption.org/v1. */
import type { Keyring } from '../../keys/index.ts'

const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
const CHECKSUM_LENGTH = 6
const GROUP_BITS = 5

/** `AGE-SECRET-KEY-1…` for every backup key of the keyring, the active one first. Never print them. */
export async function identitiesOf(keyring: Keyring): Promise<string[]> {
  const active = await keyring.ensure('backup')
  const retired = (await keyring.list('backup')).filter(({ id }) => id !== active.id)
  const secrets = await Promise.all([active, ...retired].map(({ id }) => keyring.secret(id)))
  return secrets.map((secret) => bech32('age-secret-key-', secret).toUpperCase())
}

function bech32(prefix: string, bytes: Uint8Array): string {
  const groups = groupBits(bytes)
  const head = [
    ...[...prefix].map((letter) => letter.charCodeAt(0) >> GROUP_BITS),
    0,
    ...[...prefix].map((letter) => letter.charCodeAt(0) & 31),
  ]
  const sum = polymod([...head, ...groups, ...Array<number>(CHECKSUM_LENGTH).fill(0)]) ^ 1
  const checksum = Array.from(
    { length: CHECKSUM_LENGTH },
    (_, i) => (sum >> (GROUP_BITS * (CHECKSUM_LENGTH - 1 - i))) & 31,
  )
  return `${prefix}1${[...groups, ...checksum].map((group) => ALPHABET[group] ?? '').join('')}`
}

function groupBits(bytes: Uint8Array): number[] {
  const groups: number[] = []
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff
    bits += 8
    for (; bits >= GROUP_BITS; bits -= GROUP_BITS) groups.push((held >> (bits - GROUP_BITS)) & 31)
  }
  if (bits > 0) groups.push((held << (GROUP_BITS - bits)) & 31)
  return groups
}

function polymod(values: readonly number[]): number {
  let sum = 1
  for (const value of values) {
    const top = sum >>> 25
    sum = ((sum & 0x1ffffff) << GROUP_BITS) ^ value
    for (const [i, generator] of GENERATOR.entries()) if (((top >> i) & 1) === 1) sum ^= generator
  }
  return sum
}
