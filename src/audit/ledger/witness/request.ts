/** The body of C2SP tlog-witness `add-checkpoint`. */
import { AkashiError } from '../../../foundation/index.ts'
import { HASH_BYTES } from '../merkle.ts'

/** The protocol's own limit. */
const MAX_PROOF_HASHES = 63
/** A request of 63 hashes and a note with a hundred signatures fits. */
export const MAX_REQUEST_BYTES = 65_536

export interface AddCheckpoint {
  /** Size of the checkpoint that the witness cosigned last, 0 for none. */
  readonly oldSize: bigint
  /** Consistency proof from it (RFC 6962, 2.1.2). */
  readonly proof: readonly Buffer[]
  /** The signed checkpoint. */
  readonly note: string
}

export function formatAddCheckpoint({ oldSize, proof, note }: AddCheckpoint): string {
  return `old ${oldSize}\n${proof.map((hash) => `${hash.toString('base64')}\n`).join('')}\n${note}`
}

/** `invalid_input` for anything else. */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint {
  const text = decode(body)
  const end = text.indexOf('\n\n')
  const [first = '', ...lines] = text.slice(0, Math.max(end, 0)).split('\n')
  const [, size] = /^old (0|[1-9]\d{0,18})$/.exec(first) ?? []
  if (end < 0 || size === undefined) throw malformed('it does not begin with the old size')
  if (lines.length > MAX_PROOF_HASHES) throw malformed(`its proof has over ${MAX_PROOF_HASHES} hashes`)
  return { oldSize: BigInt(size), proof: lines.map(parseHash), note: text.slice(end + 2) }
}

function parseHash(line: string): Buffer {
  const hash = Buffer.from(line, 'base64')
  if (hash.length !== HASH_BYTES || hash.toString('base64') !== line)
    throw malformed('a line of the proof is not a hash')
  return hash
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    throw malformed('it is not UTF-8')
  }
}

function malformed(why: string): AkashiError {
  return new AkashiError('invalid_input', `malformed add-checkpoint request: ${why}`)
}
