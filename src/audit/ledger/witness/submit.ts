/** The log's side of C2SP tlog-witness. A witness that is away costs its own cosignature and nothing else. */
import { AkashiError } from '../../../foundation/index.ts'
import { cosignedAt, formatNote, parseNote, type VerifierKey } from '../../../keys/index.ts'
import type { Actor, Database } from '../../../postgres/index.ts'
import { parseCheckpoint } from '../checkpoint.ts'
import { logNamed } from '../logs.ts'
import { proveConsistency } from '../proof.ts'
import { readHeads } from '../store.ts'
import { formatAddCheckpoint } from './request.ts'
import { hashOf } from './witness.ts'

/** Milliseconds for one request to a witness. */
export const WITNESS_TIMEOUT_MS = 5_000
/** Longest answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 65_536
/** The first request learns the witness's size; others may move it in between. */
const ATTEMPTS = 3

export interface WitnessAddress {
  /** Submission and monitoring prefix. */
  readonly url: string
  /** Whose cosignatures count. */
  readonly key: VerifierKey
}

export interface SubmitOptions {
  /** Default {@link WITNESS_TIMEOUT_MS}, for each request. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface Cosigned {
  /** The checkpoint with the witness's cosignature beside the signatures that it had. */
  readonly note: string
  /** When the witness saw it, ISO 8601. */
  readonly at: string
}

/** Gives the consistency proof between two sizes of the log. */
export type ConsistencyProver = (first: bigint, second: bigint) => Promise<readonly Buffer[]>

/**
 * Submits a signed checkpoint to one witness.
 *
 * @throws AkashiError timeout, unavailable when the witness is away; conflict when it saw a larger tree
 *   (`detail.size`), which the log must be able to explain; integrity when it refuses the checkpoint as no
 *   continuation, or answers with a wrong cosignature
 */
export async function submitToWitness(
  witness: WitnessAddress,
  note: string,
  prove: ConsistencyProver,
  options: SubmitOptions = {},
): Promise<Cosigned> {
  const { size } = parseCheckpoint(parseNote(note).text)
  let oldSize = 0n
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const body = formatAddCheckpoint({ oldSize, proof: await prove(oldSize, size), note })
    const answer = await request(witness.url, 'add-checkpoint', { method: 'POST', body }, options)
    if (answer.status === 200) return readCosignature(witness, note, answer.text)
    if (answer.status === 422) {
      throw new AkashiError(
        'integrity',
        `the witness ${witness.key.name} saw another history than this checkpoint continues`,
        {
          hint: 'run akashi verify: entries below its size were changed, or the log was cut back',
          detail: { size: oldSize.toString() },
        },
      )
    }
    if (answer.status !== 409) throw refused(witness, answer.status, answer.text)
    oldSize = sizeOf(witness, answer.text)
    if (oldSize > size) {
      throw new AkashiError(
        'conflict',
        `the witness ${witness.key.name} has seen size ${oldSize}, the checkpoint has ${size}`,
        {
          hint: 'a newer checkpoint was submitted meanwhile, or the log was cut back: submit the head, and run akashi verify if it stays',
          detail: { size: oldSize.toString() },
        },
      )
    }
  }
  throw new AkashiError('conflict', `the witness ${witness.key.name} moves with every request`, {
    hint: 'let one process at a time submit',
  })
}

/**
 * The latest checkpoint of a log that a witness cosigned; null when it has none. Given to verification as
 * published, it shows a log that was cut back or rewritten.
 */
export async function witnessedNote(
  witness: WitnessAddress,
  origin: string,
  options: SubmitOptions = {},
): Promise<string | null> {
  const { status, text } = await request(
    witness.url,
    `${hashOf(origin)}/checkpoint`,
    { method: 'GET' },
    options,
  )
  if (status === 404) return null
  if (status !== 200) throw refused(witness, status, text)
  if (cosignedAt(text, witness.key) !== null) return text
  throw new AkashiError(
    'integrity',
    `the witness ${witness.key.name} gave a checkpoint that it did not cosign`,
  )
}

export interface WitnessOutcome {
  readonly witness: string
  readonly log: string
  readonly size: string
  readonly cosigned: Cosigned | null
  /** Why there is no cosignature. */
  readonly error: AkashiError | null
}

/** Submits every head to every witness, all at once. What one witness does, or not, stays its own outcome. */
export async function witnessHeads(
  database: Database,
  actor: Actor,
  witnesses: readonly WitnessAddress[],
  options: SubmitOptions = {},
): Promise<WitnessOutcome[]> {
  const heads = await database.transaction(actor, (session) => readHeads(session))
  const submissions = heads.flatMap(({ log, epoch, size, note }) =>
    witnesses.map(async (witness): Promise<WitnessOutcome[]> => {
      if (note === null) return []
      const outcome = { witness: witness.key.name, log, size: size.toString() }
      const prove: ConsistencyProver = async (first, second) => {
        const { proof } = await proveConsistency(database, actor, logNamed(log), first, second)
        return proof.map((hash) => Buffer.from(hash, 'base64'))
      }
      try {
        const cosigned = await submitToWitness(witness, note, prove, options)
        await keepCosignature(database, actor, { log, epoch, size, witness: witness.key.name, ...cosigned })
        return [{ ...outcome, cosigned, error: null }]
      } catch (error) {
        if (error instanceof AkashiError) return [{ ...outcome, cosigned: null, error }]
        throw error
      }
    }),
  )
  return (await Promise.all(submissions)).flat()
}

/** Kept beside the checkpoint; what a witness signed first for a size stays. */
async function keepCosignature(
  database: Database,
  actor: Actor,
  own: { log: string; epoch: number; size: bigint; witness: string } & Cosigned,
): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query(
      `insert into akashi_audit.ledger_cosignatures (log, epoch, size, witness, note, cosigned_at) values ($1, $2, $3, $4, $5, $6)
       on conflict do nothing`,
      [own.log, own.epoch, own.size.toString(), own.witness, own.note, own.at],
    ),
  )
}

function readCosignature({ key }: WitnessAddress, note: string, lines: string): Cosigned {
  const { text, signatures } = parseNote(note)
  try {
    const at = cosignedAt(`${text}\n${lines}`, key)
    if (at !== null) {
      const added = parseNote(`${text}\n${lines}`).signatures.filter(
        (signature) => signature.name === key.name,
      )
      return { note: formatNote({ text, signatures: [...signatures, ...added] }), at: at.toISOString() }
    }
  } catch (cause) {
    throw new AkashiError('integrity', `the witness ${key.name} answered with no valid cosignature`, {
      cause,
    })
  }
  throw new AkashiError('integrity', `the witness ${key.name} answered with a cosignature of another key`, {
    hint: 'check the verifier key that is configured for it',
  })
}

function sizeOf(witness: WitnessAddress, text: string): bigint {
  const [, size] = /^(0|[1-9]\d{0,18})\n$/.exec(text) ?? []
  if (size === undefined) throw refused(witness, 409, text)
  return BigInt(size)
}

function refused({ key }: WitnessAddress, status: number, text: string): AkashiError {
  const why =
    text
      .split('\n', 1)[0]
      ?.slice(0, 200)
      .replace(/[^\x20-\x7e]/g, '?') ?? ''
  return new AkashiError('unavailable', `the witness ${key.name} answered ${status}: ${why}`, {
    hint:
      status === 404 || status === 403
        ? 'give the witness this log’s origin and verifier key'
        : 'see the witness’s own log',
  })
}

async function request(
  prefix: string,
  path: string,
  init: { readonly method: string; readonly body?: string },
  { timeoutMs = WITNESS_TIMEOUT_MS, signal }: SubmitOptions,
): Promise<{ status: number; text: string }> {
  const url = URL.parse(path, prefix.endsWith('/') ? prefix : `${prefix}/`)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new AkashiError('invalid_config', 'the address of a witness is no http(s) URL')
  }
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(url, {
      ...init,
      redirect: 'error',
      signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
    })
    return { status: response.status, text: await readAnswer(response) }
  } catch (cause) {
    if (cause instanceof AkashiError) throw cause
    if (signal?.aborted === true)
      throw new AkashiError('cancelled', 'the submission was cancelled', { cause })
    if (deadline.aborted)
      throw new AkashiError('timeout', `the witness at ${url.host} did not answer within ${timeoutMs} ms`, {
        cause,
      })
    throw new AkashiError('unavailable', `the witness at ${url.host} cannot be reached`, { cause })
  }
}

async function readAnswer(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > MAX_ANSWER_BYTES) throw new AkashiError('unavailable', 'the witness answered with too much')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
