/**
 * Checkpoints: C2SP tlog-checkpoint, a signed note whose text is origin, size and root, one a line.
 */
import { AkashiError } from '../../foundation/index.ts'
import { HASH_BYTES } from './merkle.ts'

export interface Checkpoint {
  /** Name of the log that signs, e.g. `akashi.local/7f3a…/audit_logs`. */
  readonly origin: string
  readonly size: bigint
  readonly root: Buffer
}

export function checkpointText(checkpoint: Checkpoint): string {
  return `${checkpoint.origin}\n${checkpoint.size}\n${checkpoint.root.toString('base64')}\n`
}

/** The checkpoint in a note's text; refuses (`integrity`) anything else. */
export function parseCheckpoint(text: string): Checkpoint {
  const match = /^([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n/.exec(text)
  const [, origin, size, root] = match ?? []
  if (origin === undefined || size === undefined || root === undefined) {
    throw new AkashiError('integrity', 'the note holds no checkpoint', {
      hint: 'expected three lines: origin, size, base64 root',
    })
  }
  const hash = Buffer.from(root, 'base64')
  if (hash.length !== HASH_BYTES)
    throw new AkashiError('integrity', 'the root of the checkpoint is not 32 bytes')
  return { origin, size: BigInt(size), root: hash }
}
