/**
 * Checks a proof bundle by WebCrypto, in browsers and elsewhere, with the keys alone: nothing is sent anywhere. Each
 * step is one that somebody can redo by hand from docs/ledger.md.
 */
import { type Bundle, encodingOf, NoBundle, parseBundle } from './bundle.ts'
import { type Bytes, fromBase64, isSame, sha256, toBase64, toHex, utf8 } from './bytes.ts'
import { type Cosignature, cosignaturesOf } from './cosignature.ts'
import {
  type Checkpoint,
  checkpointIn,
  keysIn,
  parseNote,
  signerOf,
  Unsupported,
  type VerifierKey,
} from './note.ts'

export const stepNames = ['bundle', 'signature', 'entry', 'path', 'root'] as const
export type StepName = (typeof stepNames)[number]

export interface Step {
  readonly name: StepName
  readonly state: 'passed' | 'failed' | 'skipped'
  /** A value that somebody can compare, or what is wrong. */
  readonly detail: string
}

/** What was proven: this row is in the log of that size, at this position. */
export interface Proven {
  readonly log: string
  readonly id: string
  readonly at: string
  readonly position: string
  readonly size: string
  readonly origin: string
  /** What else is signed below the checkpoint. Whose word counts, and how many are needed, is yours to say. */
  readonly cosignatures: readonly Cosignature[]
}

export interface Verified {
  readonly steps: readonly Step[]
  /** Null where a step failed. */
  readonly proven: Proven | null
  /** For showing it, whether or not it is proven; null where there is none. */
  readonly bundle: Bundle | null
}

class StepFailed extends Error {
  override readonly name = 'StepFailed'
}

/** Whether this platform can check proofs: a browser has no cryptography on a page that came over plain HTTP. */
export function canVerify(): boolean {
  return typeof crypto !== 'undefined' && 'subtle' in crypto
}

/**
 * Checks what `akashi audit prove` and `GET /v1/ledger/{log}/proofs/{row}` give. A proof that fails is a result, not an
 * error.
 *
 * @param proof the text of the file, or what its JSON holds
 * @param keys verifier keys that you have from elsewhere, as text (a trust policy is one) or as `keysIn()` gives them
 */
export async function verifyProof(
  proof: string | object,
  keys: string | readonly VerifierKey[],
): Promise<Verified> {
  const text = typeof proof === 'string' ? proof : JSON.stringify(proof)
  const trusted = typeof keys === 'string' ? await keysIn(keys) : keys
  const steps: Step[] = []
  const step = async <T>(name: StepName, run: () => Promise<readonly [T, string]>): Promise<T> => {
    try {
      const [value, detail] = await run()
      steps.push({ name, state: 'passed', detail })
      return value
    } catch (error) {
      if (!(error instanceof StepFailed || error instanceof NoBundle || error instanceof Unsupported))
        throw error
      steps.push({ name, state: 'failed', detail: error.message })
      throw new StepFailed(error.message, { cause: error })
    }
  }
  let bundle: Bundle | null = null
  try {
    const read = await step('bundle', async () => {
      const one = parseBundle(text)
      return [one, `${one.log}, ${Object.keys(one.row).length} columns`]
    })
    bundle = read
    const { checkpoint, cosignatures } = await step('signature', () => signedCheckpoint(read, trusted))
    const leaf = await step('entry', () => leafOf(read))
    const root = await step('path', () => rootOf(read, leaf, checkpoint.size))
    const proven = await step('root', async () => {
      if (!isSame(root, checkpoint.root)) {
        throw new StepFailed(
          `the path leads to ${toBase64(root)}, the checkpoint has ${toBase64(checkpoint.root)}`,
        )
      }
      return [provenBy(read, checkpoint, cosignatures), toBase64(checkpoint.root)]
    })
    return { steps, proven, bundle }
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    const left = stepNames.slice(steps.length)
    const skipped = left.map((name) => ({ name, state: 'skipped', detail: '' }) as const)
    return { steps: [...steps, ...skipped], proven: null, bundle }
  }
}

interface Signed {
  readonly checkpoint: Checkpoint
  readonly cosignatures: readonly Cosignature[]
}

async function signedCheckpoint(
  { log, checkpoint: text }: Bundle,
  keys: readonly VerifierKey[],
): Promise<readonly [Signed, string]> {
  const note = parseNote(text)
  if (note === null) throw new StepFailed('the checkpoint is not a signed note')
  const checkpoint = checkpointIn(note.text)
  if (checkpoint === null) throw new StepFailed('the note holds no checkpoint')
  const { origin } = checkpoint
  if (!origin.endsWith(`/${log}`))
    throw new StepFailed(`the checkpoint belongs to ${origin}, the row to ${log}`)
  const signer = await signerOf(
    note,
    keys.filter(({ name }) => name === origin),
  )
  if (signer === null) throw new StepFailed(`no valid signature of ${origin}`)
  const cosignatures = await cosignaturesOf(note, checkpoint, keys)
  const wrong = cosignatures.find(({ state }) => state === 'wrong')
  if (wrong !== undefined) throw new StepFailed(`the cosignature of ${wrong.witness} is not valid`)
  return [{ checkpoint, cosignatures }, `${origin}+${toHex(signer.hash)}`]
}

const LEAF = Uint8Array.of(0x00)
const NODE = Uint8Array.of(0x01)

async function leafOf(bundle: Bundle): Promise<readonly [Bytes, string]> {
  const entry = await sha256(utf8(encodingOf(bundle)))
  return [await sha256(LEAF, entry), toHex(entry)]
}

/** Where the path leads (RFC 9162, 2.1.3.2). */
async function rootOf(
  { position, proof }: Bundle,
  leaf: Bytes,
  size: bigint,
): Promise<readonly [Bytes, string]> {
  const wrong = new StepFailed(`the path does not belong to position ${position} in a tree of size ${size}`)
  let index = BigInt(position)
  let last = size - 1n
  if (index > last) throw wrong
  let root = leaf
  for (const encoded of proof) {
    const hash = fromBase64(encoded)
    if (hash === null || last === 0n) throw wrong
    if (index % 2n === 1n || index === last) {
      root = await sha256(NODE, hash, root)
      while (index % 2n === 0n && index !== 0n) {
        index >>= 1n
        last >>= 1n
      }
    } else {
      root = await sha256(NODE, root, hash)
    }
    index >>= 1n
    last >>= 1n
  }
  if (last !== 0n) throw wrong
  return [root, `${proof.length} hashes`]
}

function provenBy(
  { log, row, position }: Bundle,
  { origin, size }: Checkpoint,
  cosignatures: readonly Cosignature[],
): Proven {
  const { id, created_at: at } = row
  if (typeof id !== 'string' || typeof at !== 'string') throw new StepFailed('the row has no id or no time')
  return { log, id, at, position, size: size.toString(), origin, cosignatures }
}
