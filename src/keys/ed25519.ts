/** Ed25519 (RFC 8032) over raw keys: 32-byte seed, 32-byte public key, 64-byte signature. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'

export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64

/** Prefix of the seed in PKCS #8 (RFC 8410 section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

export function signEd25519(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return sign(null, message, privateKey(seed))
}

export function publicKeyOf(seed: Uint8Array): Uint8Array {
  const { x } = createPublicKey(privateKey(seed)).export({ format: 'jwk' })
  if (typeof x !== 'string') throw new AkashiError('internal', 'no public key could be derived')
  return Buffer.from(x, 'base64url')
}

export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) return false
  const x = Buffer.from(publicKey).toString('base64url')
  const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } })
  return verify(null, message, key, signature)
}

function privateKey(seed: Uint8Array): KeyObject {
  const der = Buffer.concat([PKCS8_PREFIX, seed])
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  } finally {
    der.fill(0)
  }
}
