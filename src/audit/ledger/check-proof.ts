/** Checks a proof bundle with public keys alone: no database, no network. */
import { AkashiError, given } from '../../foundation/index.ts'
import { cosignedAt, type VerifierKey, verifyNote } from '../../keys/index.ts'
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts'
import { entryHash } from './encoding.ts'
import { type LogDefinition, logs } from './logs.ts'
import { leafHash, rootFromInclusion } from './merkle.ts'
import { type Policy, quorumMet } from './policy/policy.ts'
import { isExact, type ProofBundle, proofBundle } from './proof-bundle.ts'

/** What a bundle proves: the row of this id was in the log when it had this size. */
export interface Proven {
  readonly log: string
  /** Decimals. */
  readonly position: string
  readonly size: string
  /** Name of the log that signed. */
  readonly origin: string
  /** The row's id. */
  readonly id: string
  /** The row's `created_at`, ISO 8601 in UTC. */
  readonly at: string
}

/**
 * Recomputes encoding, entry, leaf and root from the row and compares with the signed checkpoint.
 *
 * @param bundle the parsed JSON of a bundle, or its text
 * @param keys those of the log; other keys are ignored
 * @throws AkashiError integrity with what is wrong
 */
export function checkProof(bundle: unknown, keys: readonly VerifierKey[]): Proven {
  const { log: name, row, position, proof, checkpoint } = parseBundle(bundle)
  const log = logs.find((each) => each.log === name)
  if (log === undefined) throw wrong(`it belongs to an unknown log ${name}`)
  const { origin, size, root } = signedCheckpoint(checkpoint, keys)
  if (!origin.endsWith(`/${name}`)) throw wrong(`its checkpoint belongs to ${origin}, its row to log ${name}`)
  checkForms(log, row)
  const path = proof.map((hash) => Buffer.from(hash, 'base64'))
  const computed = rootFromInclusion(leafHash(entryHash(log, row)), BigInt(position), size, path)
  if (computed === null)
    throw wrong(`its path does not belong to position ${position} in a tree of size ${size}`)
  if (!computed.equals(root))
    throw wrong('row, position and path do not lead to the root of the signed checkpoint')
  const { id, created_at: at } = row
  if (typeof id !== 'string' || typeof at !== 'string') throw wrong('its row has no id or no time')
  return { log: name, position, size: size.toString(), origin, id, at }
}

/** What a bundle proves under a policy. */
export interface ProvenByPolicy extends Proven {
  /** Names of the policy's witnesses whose cosignatures of the checkpoint are valid. */
  readonly cosignedBy: readonly string[]
  /** Names of those whose cosignatures this Node.js cannot check. */
  readonly notChecked: readonly string[]
}

/**
 * The same with the keys that a policy pins, and its quorum over the checkpoint of the bundle.
 *
 * @throws AkashiError integrity with what is wrong
 */
export function checkProofByPolicy(bundle: unknown, policy: Policy): ProvenByPolicy {
  const proven = checkProof(bundle, policy.logs)
  const { checkpoint } = parseBundle(bundle)
  const cosignedBy: string[] = []
  const notChecked: string[] = []
  for (const { name, key } of policy.witnesses) {
    try {
      if (cosignedAt(checkpoint, key) !== null) cosignedBy.push(name)
    } catch (cause) {
      if (!(cause instanceof AkashiError)) throw cause
      if (cause.code !== 'unsupported') throw wrong(`the cosignature of ${name} is not valid`, cause)
      notChecked.push(name)
    }
  }
  if (!quorumMet(policy.quorum, ({ name }) => cosignedBy.includes(name))) {
    const by = cosignedBy.length === 0 ? 'no witness of the policy' : cosignedBy.join(', ')
    const without =
      notChecked.length === 0
        ? ''
        : `; not checked, because this Node.js has no ML-DSA-44: ${notChecked.join(', ')}`
    throw wrong(`its checkpoint is cosigned by ${by}, which does not meet the quorum${without}`)
  }
  return { ...proven, cosignedBy, notChecked }
}

function parseBundle(bundle: unknown): ProofBundle {
  const parsed = proofBundle.safeParse(typeof bundle === 'string' ? parseJson(bundle) : bundle)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw wrong(
    `not a proof bundle of this version: ${[issue?.path.join('.'), issue?.message].filter(Boolean).join(' ')}`,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw wrong('it is not JSON', cause)
  }
}

function signedCheckpoint(note: string, keys: readonly VerifierKey[]): Checkpoint {
  try {
    const { text, signers } = verifyNote(note, keys)
    const checkpoint = parseCheckpoint(text)
    if (signers.some((signer) => signer.name === checkpoint.origin)) return checkpoint
  } catch (cause) {
    if (!(cause instanceof AkashiError)) throw cause
    throw wrong(`its checkpoint does not verify: ${cause.message}`, cause)
  }
  throw wrong('its checkpoint is not signed by its log')
}

function checkForms(log: LogDefinition, row: ProofBundle['row']): void {
  for (const [name, value] of Object.entries(row)) {
    const form = Object.hasOwn(log.columns, name) ? log.columns[name] : undefined
    if (form === undefined) throw wrong(`its row has a column ${name} that is not part of entries`)
    if (!isExact(form, value)) throw wrong(`column ${name} of its row is not in the format of a bundle`)
  }
}

function wrong(what: string, cause?: unknown): AkashiError {
  return new AkashiError('integrity', `the proof is not valid: ${what}`, {
    hint: 'get the bundle and the keys again from their sources; if it still fails, the row is not proven',
    ...given({ cause }),
  })
}
