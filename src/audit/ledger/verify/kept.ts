/** Signed notes in the database: copies of published checkpoints, and cosignatures of witnesses. */
import { AkashiError } from '../../../foundation/index.ts'
import { cosignedAt, parseNote, type VerifierKey } from '../../../keys/index.ts'
import type { Session } from '../../../postgres/index.ts'
import type { Checkpoint } from '../checkpoint.ts'
import type { Epoch } from '../epoch/link.ts'
import { isSampled, originOn } from '../published.ts'
import type { Head } from '../store.ts'
import { isThinnedOut } from '../thin.ts'
import { readTrusted, witnessAddress } from '../witness/registry.ts'
import { signedCheckpoint } from './head.ts'
import type { LogVerification } from './log-verification.ts'
import type { VerifyOptions } from './options.ts'
import type { ProblemList } from './problems.ts'

interface Kept {
  readonly epoch: number
  readonly size: string
  readonly note: string
}

/**
 * Rows of `akashi_audit.ledger_checkpoints` with a valid signature; any other row is a problem. Only sampled ones
 * are compared with the tree.
 */
export async function* keptCheckpoints(
  { session, head, options, problems }: LogVerification,
  from: bigint,
  epochs: readonly Epoch[],
): AsyncIterable<{
  readonly checkpoint: Checkpoint
  readonly sampled: boolean
  /** A later checkpoint of the same hour or day stands for it, so that it may be gone from the store. */
  readonly thinned: boolean
}> {
  const { rows: counted } = await session.query<{ total: number }>(
    'select count(*)::float8 as total from akashi_audit.ledger_checkpoints where log = $1 and size >= $2::bigint',
    [head.log, from.toString()],
  )
  const total = counted[0]?.total ?? 0
  const offset = Math.random()
  let index = -1
  const rows = session.stream<Kept & { readonly root: Buffer; readonly thinned: boolean }>(
    `select epoch, size::text, root, note, ${isThinnedOut('c')} as thinned
     from akashi_audit.ledger_checkpoints c where log = $1 and size >= $2::bigint
     order by c.epoch, c.size`,
    [head.log, from.toString()],
  )
  for await (const batch of rows) {
    for (const row of batch) {
      index += 1
      const signed = await ownCheckpoint(row, head, epochs, options)
      if (typeof signed !== 'string' && signed.root.equals(row.root))
        yield { checkpoint: signed, sampled: isSampled(index, total, offset), thinned: row.thinned }
      else {
        const why = typeof signed === 'string' ? signed : 'its root differs from the signed one'
        problems.add(
          'checkpoint',
          row.size,
          'akashi_audit.ledger_checkpoints',
          `the stored checkpoint of size ${row.size} of epoch ${row.epoch} is not valid: ${why}`,
        )
      }
    }
  }
}

/** Checkpoints of `akashi_audit.ledger_cosignatures` with valid signatures of the log and, while it is trusted, of the witness. */
export async function* keptCosignatures(
  { session, head, options, problems }: LogVerification,
  from: bigint,
  epochs: readonly Epoch[],
): AsyncIterable<Checkpoint> {
  const keys = await witnessKeys(session, problems)
  const rows = session.stream<Kept & { readonly witness: string; readonly at: string }>(
    `select epoch, size::text, witness, note, cosigned_at as at from akashi_audit.ledger_cosignatures c
     where log = $1 and size >= $2::bigint order by c.epoch, c.size, c.witness`,
    [head.log, from.toString()],
  )
  for await (const batch of rows) {
    for (const row of batch) {
      const signed = await ownCheckpoint(row, head, epochs, options)
      const refused = typeof signed === 'string' ? signed : cosignatureRefused(row, keys.get(row.witness))
      if (typeof signed !== 'string' && refused === null) yield signed
      else {
        problems.add(
          'checkpoint',
          row.size,
          'akashi_audit.ledger_cosignatures',
          `the cosignature of ${row.witness} on size ${row.size} of epoch ${row.epoch} is not valid: ${refused}`,
        )
      }
    }
  }
}

async function witnessKeys(session: Session, problems: ProblemList): Promise<Map<string, VerifierKey>> {
  const keys = new Map<string, VerifierKey>()
  for (const trusted of await readTrusted(session)) {
    try {
      const { key } = witnessAddress(trusted)
      keys.set(key.name, key)
    } catch (error) {
      if (!(error instanceof AkashiError)) throw error
      problems.add(
        'checkpoint',
        null,
        'akashi_audit.witnesses',
        `the witness ${trusted.name}: ${error.message}`,
      )
    }
  }
  return keys
}

/** The checkpoint of a stored note, if this log signed it for that epoch and size; otherwise why it is not valid. */
async function ownCheckpoint(
  { epoch, size, note }: Kept,
  head: Head,
  epochs: readonly Epoch[],
  options: VerifyOptions,
): Promise<Checkpoint | string> {
  const origin =
    epoch === 1 ? originOn(head.origin, null) : epochs.find((known) => known.epoch === epoch)?.origin
  if (origin === undefined) return 'the epoch does not exist'
  const signed = await signedCheckpoint(note, origin, options)
  if (typeof signed === 'string') return signed
  return signed.origin === origin && signed.size === BigInt(size) ? signed : 'it is not what was signed'
}

function cosignatureRefused(
  { witness, note, at }: { readonly witness: string; readonly note: string; readonly at: string },
  key: VerifierKey | undefined,
): string | null {
  if (key === undefined) {
    return parseNote(note).signatures.some(({ name }) => name === witness)
      ? null
      : 'it is not signed by the witness'
  }
  try {
    const cosigned = cosignedAt(note, key)
    if (cosigned === null) return 'it is not signed by the trusted key of the witness'
    // PostgreSQL prints microseconds; a cosignature has whole seconds.
    return cosigned.toISOString().replace('Z', '000Z') === at ? null : 'its time differs from the signed one'
  } catch (error) {
    if (!(error instanceof AkashiError)) throw error
    // verifyTrust() reports that it could not be checked.
    if (error.code === 'unsupported') return null
    return error.message
  }
}
