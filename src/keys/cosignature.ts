/**
 * Cosignatures (https://c2sp.org/tlog-cosignature, Ed25519): a witness states that at a given time a checkpoint
 * was the largest consistent one it had seen of a log. A note contains them beside the log's signature.
 */
import { AkashiError } from '../foundation/index.ts'
import { SIGNATURE_BYTES, verifyEd25519 } from './ed25519.ts'
import { keyHash, type NoteSignature, parseNote, type VerifierKey } from './signed-note.ts'

/** Signature type of Ed25519 cosignatures in key hashes and verifier keys. */
export const COSIGNATURE_TYPE = 0x04
const TIMESTAMP_BYTES = 8

/** The key of a witness. Its name is that of the witness, e.g. `witness.example/w1`. */
export interface CosignerKey extends VerifierKey {
  /** Ed25519 signature, 64 bytes. */
  sign(message: Uint8Array): Promise<Uint8Array>
}

function message(text: string, seconds: bigint): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`)
}

/** @param text of the checkpoint's note, ending with its newline */
export async function cosign(key: CosignerKey, text: string, at: Date): Promise<NoteSignature> {
  const seconds = BigInt(Math.floor(at.getTime() / 1000))
  if (seconds <= 0n) throw new AkashiError('internal', 'a cosignature needs a time after 1970')
  const timestamp = Buffer.alloc(TIMESTAMP_BYTES)
  timestamp.writeBigUInt64BE(seconds)
  const signature = Buffer.concat([timestamp, await key.sign(message(text, seconds))])
  return { name: key.name, hash: keyHash(key, COSIGNATURE_TYPE), signature }
}

/** When a witness cosigned a note; null if it did not. `integrity` if its cosignature is wrong. */
export function cosignedAt(note: string, key: VerifierKey): Date | null {
  const { text, signatures } = parseNote(note)
  const hash = Buffer.from(keyHash(key, COSIGNATURE_TYPE))
  let latest: bigint | null = null
  for (const { name, hash: of, signature } of signatures) {
    if (name !== key.name || !hash.equals(of)) continue
    const bytes = Buffer.from(signature)
    const seconds = bytes.length === TIMESTAMP_BYTES + SIGNATURE_BYTES ? bytes.readBigUInt64BE() : 0n
    if (
      seconds === 0n ||
      !verifyEd25519(key.publicKey, message(text, seconds), bytes.subarray(TIMESTAMP_BYTES))
    ) {
      throw new AkashiError('integrity', 'a cosignature of the note is wrong', { detail: { name } })
    }
    if (latest === null || seconds > latest) latest = seconds
  }
  return latest === null ? null : new Date(Number(latest) * 1000)
}
