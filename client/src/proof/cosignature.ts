/** What witnesses signed below a checkpoint (https://c2sp.org/tlog-cosignature). */
import { type Bytes, isSame, joined, utf8 } from './bytes.ts'
import {
  type Checkpoint,
  isSigned,
  type Note,
  type Signature,
  Unsupported,
  type VerifierKey,
} from './note.ts'

export interface Cosignature {
  readonly witness: string
  /**
   * - `valid`
   * - `wrong`: not by the key that was given for this witness
   * - `unknown key`: no key was given for it
   * - `not checked`: the platform lacks the algorithm
   */
  readonly state: 'valid' | 'wrong' | 'unknown key' | 'not checked'
  /** When the witness saw the checkpoint, ISO 8601 in UTC; null unless valid. */
  readonly at: string | null
}

const TIMESTAMP_BYTES = 8
/** Seconds since 1970 that a Date can hold. */
const MAX_SECONDS = 8_640_000_000_000n

/** Every signature that is not the log's own. */
export async function cosignaturesOf(
  note: Note,
  checkpoint: Checkpoint,
  keys: readonly VerifierKey[],
): Promise<Cosignature[]> {
  const others = note.signatures.filter(({ name }) => name !== checkpoint.origin)
  return await Promise.all(others.map((signature) => check(note, checkpoint, signature, keys)))
}

async function check(
  note: Note,
  checkpoint: Checkpoint,
  { name: witness, hash, signature }: Signature,
  keys: readonly VerifierKey[],
): Promise<Cosignature> {
  const key = keys.find(
    (each) => each.kind === 'cosignature' && each.name === witness && isSame(each.hash, hash),
  )
  if (key === undefined) return { witness, state: 'unknown key', at: null }
  if (signature.length <= TIMESTAMP_BYTES) return { witness, state: 'wrong', at: null }
  const seconds = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0)
  // One without a time does not say that the tree was the largest that the witness had seen.
  if (seconds === 0n || seconds > MAX_SECONDS) return { witness, state: 'wrong', at: null }
  try {
    const valid = await isSigned(
      key,
      signature.slice(TIMESTAMP_BYTES),
      message(key, note, checkpoint, seconds),
    )
    return valid
      ? { witness, state: 'valid', at: new Date(Number(seconds) * 1000).toISOString() }
      : { witness, state: 'wrong', at: null }
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error
    return { witness, state: 'not checked', at: null }
  }
}

function message(
  { algorithm, name }: VerifierKey,
  { text }: Note,
  { origin, size, root }: Checkpoint,
  seconds: bigint,
): Bytes {
  if (algorithm === 'Ed25519') return utf8(`cosignature/v1\ntime ${seconds}\n${text}`)
  const [from, to] = [uint64(0n), uint64(size)]
  return joined(utf8('subtree/v1\n\0'), counted(name), uint64(seconds), counted(origin), from, to, root)
}

function counted(text: string): Bytes {
  const bytes = utf8(text)
  return joined(Uint8Array.of(bytes.length), bytes)
}

function uint64(value: bigint): Bytes {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, value)
  return bytes
}
