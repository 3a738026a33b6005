/**
 * Cosignatures (https://c2sp.org/tlog-cosignature): a witness states that at a given time a checkpoint was the largest
 * consistent one it had seen of a log. A note contains them beside the log's signature. The length of a witness's key
 * says which of the two kinds it signs: Ed25519 over the text, or ML-DSA-44 over its first three lines and the names.
 */
import { AkashiError } from '../foundation/index.ts'
import { SIGNATURE_BYTES, verifyEd25519 } from './ed25519.ts'
import { ML_DSA_PUBLIC_KEY_BYTES, ML_DSA_SIGNATURE_BYTES, verifyMlDsa } from './ml-dsa.ts'
import {
  formatVerifierKey,
  keyHash,
  type NoteSignature,
  parseNote,
  parseVerifierKey,
  type VerifierKey,
} from './signed-note.ts'

/** Signature types of cosignatures in key hashes and verifier keys. */
export const COSIGNATURE_TYPE = 0x04
export const ML_DSA_COSIGNATURE_TYPE = 0x06
const TIMESTAMP_BYTES = 8
const MAX_TIMESTAMP = (1n << 63n) - 1n
/** Names in the message of ML-DSA-44 have one byte for their length. */
const MAX_NAME_BYTES = 255
const ROOT_BYTES = 32

/** The key of a witness. Its name is that of the witness, e.g. `witness.example/w1`. */
export interface CosignerKey extends VerifierKey {
  /** Signature of the kind that the public key is of. */
  sign(message: Uint8Array): Promise<Uint8Array>
}

function isMlDsa({ publicKey }: VerifierKey): boolean {
  return publicKey.length === ML_DSA_PUBLIC_KEY_BYTES
}

function typeOf(key: VerifierKey): number {
  return isMlDsa(key) ? ML_DSA_COSIGNATURE_TYPE : COSIGNATURE_TYPE
}

/** The key of a witness as it prints it, of either kind. */
export function parseCosignerKey(text: string): VerifierKey {
  return parseVerifierKey(text, COSIGNATURE_TYPE, ML_DSA_COSIGNATURE_TYPE)
}

export function formatCosignerKey(key: VerifierKey): string {
  return formatVerifierKey(key, typeOf(key))
}

function message(key: VerifierKey, text: string, seconds: bigint): Buffer {
  return isMlDsa(key)
    ? subtreeMessage(key.name, text, seconds)
    : Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`)
}

/** `cosigned_message` of a whole tree: lines after the third are not part of it. */
function subtreeMessage(name: string, text: string, seconds: bigint): Buffer {
  const [origin = '', size = '', root = ''] = text.split('\n')
  const hash = Buffer.from(root, 'base64')
  if (!/^(0|[1-9]\d{0,18})$/.test(size) || hash.length !== ROOT_BYTES)
    throw new AkashiError('invalid_input', 'only a checkpoint can be cosigned with ML-DSA-44')
  return Buffer.concat([
    Buffer.from('subtree/v1\n\0'),
    withLength(name),
    uint64(seconds),
    withLength(origin),
    uint64(0n),
    uint64(BigInt(size)),
    hash,
  ])
}

function withLength(name: string): Buffer {
  const bytes = Buffer.from(name)
  if (bytes.length === 0 || bytes.length > MAX_NAME_BYTES)
    throw new AkashiError('invalid_input', `a name has 1 to ${MAX_NAME_BYTES} bytes`)
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

/** @param text of the checkpoint's note, ending with its newline */
export async function cosign(key: CosignerKey, text: string, at: Date): Promise<NoteSignature> {
  const seconds = BigInt(Math.floor(at.getTime() / 1000))
  if (seconds <= 0n) throw new AkashiError('internal', 'a cosignature needs a time after 1970')
  const signature = Buffer.concat([uint64(seconds), await key.sign(message(key, text, seconds))])
  return { name: key.name, hash: keyHash(key, typeOf(key)), signature }
}

/**
 * When a witness cosigned a note; null if it did not.
 *
 * @throws AkashiError integrity if its cosignature is wrong; unsupported if this Node.js cannot check it
 */
export function cosignedAt(note: string, key: VerifierKey): Date | null {
  const { text, signatures } = parseNote(note)
  const hash = Buffer.from(keyHash(key, typeOf(key)))
  let latest: bigint | null = null
  for (const { name, hash: of, signature } of signatures) {
    if (name !== key.name || !hash.equals(of)) continue
    const seconds = timeOf(key, text, Buffer.from(signature))
    if (seconds === null)
      throw new AkashiError('integrity', 'a cosignature of the note is wrong', { detail: { name } })
    if (latest === null || seconds > latest) latest = seconds
  }
  return latest === null ? null : new Date(Number(latest) * 1000)
}

/** Seconds since 1970 of a valid cosignature. One without a time does not say that the tree was the largest. */
function timeOf(key: VerifierKey, text: string, bytes: Buffer): bigint | null {
  const length = isMlDsa(key) ? ML_DSA_SIGNATURE_BYTES : SIGNATURE_BYTES
  if (bytes.length !== TIMESTAMP_BYTES + length) return null
  const seconds = bytes.readBigUInt64BE()
  if (seconds === 0n || seconds > MAX_TIMESTAMP) return null
  const verify = isMlDsa(key) ? verifyMlDsa : verifyEd25519
  return verify(key.publicKey, message(key, text, seconds), bytes.subarray(TIMESTAMP_BYTES)) ? seconds : null
}
