/** ML-DSA-44 (FIPS 204) over raw keys: 32-byte seed, 1,312-byte public key, 2,420-byte signature. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { AkashiError } from '../foundation/index.ts'

export const ML_DSA_PUBLIC_KEY_BYTES = 1_312
export const ML_DSA_SIGNATURE_BYTES = 2_420

/** Prefix of the seed in PKCS #8 (RFC 9881, the form that has the seed alone). */
const PKCS8_PREFIX = Buffer.from('3034020100300b060960864801650304031104228020', 'hex')

let supported: boolean | undefined

/** Whether this Node.js has ML-DSA: version 24.6 or newer, with OpenSSL 3.5. */
export function hasMlDsa(): boolean {
  supported ??= (() => {
    try {
      publicKeyObject(Buffer.alloc(ML_DSA_PUBLIC_KEY_BYTES))
      return true
    } catch {
      return false
    }
  })()
  return supported
}

export function signMlDsa(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return sign(null, message, privateKey(seed))
}

export function mlDsaPublicKeyOf(seed: Uint8Array): Uint8Array {
  const { pub } = createPublicKey(privateKey(seed)).export({ format: 'jwk' })
  if (typeof pub !== 'string') throw new AkashiError('internal', 'no public key could be derived')
  return Buffer.from(pub, 'base64url')
}

/** @throws AkashiError unsupported where {@link hasMlDsa} is false: nothing is known of the signature then */
export function verifyMlDsa(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!hasMlDsa()) throw unsupported()
  if (signature.length !== ML_DSA_SIGNATURE_BYTES || publicKey.length !== ML_DSA_PUBLIC_KEY_BYTES)
    return false
  return verify(null, message, publicKeyObject(publicKey), signature)
}

function publicKeyObject(publicKey: Uint8Array): KeyObject {
  const pub = Buffer.from(publicKey).toString('base64url')
  // The types of Node.js do not have this kind of JSON Web Key yet.
  const key: Record<string, string> = { kty: 'AKP', alg: 'ML-DSA-44', pub }
  return createPublicKey({ format: 'jwk', key })
}

function privateKey(seed: Uint8Array): KeyObject {
  if (!hasMlDsa()) throw unsupported()
  const der = Buffer.concat([PKCS8_PREFIX, seed])
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  } finally {
    der.fill(0)
  }
}

function unsupported(): AkashiError {
  return new AkashiError('unsupported', `Node.js ${process.version} has no ML-DSA-44`, {
    hint: 'use Node.js 24.6 or newer',
  })
}
