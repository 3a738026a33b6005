/** Key attributes. */
import type { KeyInfo, KeyPurpose } from './types.ts'

/** Length of Ed25519 and ML-DSA-44 seeds, HMAC-SHA-256 keys and AES-256 keys. */
export const SECRET_BYTES = 32

export const algorithmOf = {
  checkpoint: 'ed25519',
  context: 'hmac-sha256',
  wrapping: 'aes-256-gcm',
  person: 'aes-256-gcm',
  room: 'aes-256-gcm',
  'blind-index': 'hmac-sha256',
  report: 'ed25519',
  witness: 'ed25519',
  'post-quantum-witness': 'ml-dsa-44',
  backup: 'x25519',
  delivery: 'aes-256-gcm',
} as const satisfies Record<KeyPurpose, KeyInfo['algorithm']>

export const ID =
  /^(checkpoint|context|wrapping|person|room|blind-index|report|witness|post-quantum-witness|backup|delivery)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function isKeyId(id: string): boolean {
  return ID.test(id)
}

/** A key is immutable; its slot says whether it is active. */
export type Key = Omit<KeyInfo, 'state'> & { readonly secret: Buffer }
