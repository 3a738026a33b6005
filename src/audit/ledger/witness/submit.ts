/** Client of C2SP tlog-witness. An unreachable witness affects only its own cosignature. */
import { AkashiError } from '../../../foundation/index.ts'
import { cosignedAt, formatNote, parseNote, type VerifierKey } from '../../../keys/index.ts'
import type { Actor, Database } from '../../../postgres/index.ts'
import { parseCheckpoint } from '../checkpoint.ts'
import { logNamed } from '../logs.ts'
import { proveConsistency } from '../proof.ts'
import { commitDurably, type Head, readHead, readHeads } from '../store.ts'
import { type RequestOptions, request } from './client.ts'
import { formatAddCheckpoint } from './request.ts'
import { hashOf } from './witness.ts'

/** A request with another size than the witness has is retried with that size, which may change concurrently. */
const ATTEMPTS = 3

export interface WitnessAddress {
  /** Submission and monitoring prefix. */
  readonly url: string
  /** Whose cosignatures count. */
  readonly key: VerifierKey
}

export interface SubmitOptions extends RequestOptions {
  /** Size that the witness presumably cosigned last; default 0. */
  readonly from?: bigint
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
 * Submits a signed checkpoint to one witness. A witness of tlog-witness 1.0.0 refuses another root of a size that it
 * cosigned with 409, one of a later text with 422: both are the same finding.
 *
 * @throws AkashiError timeout, unavailable when the witness is away or does not follow the protocol; conflict when
 *   it has cosigned a larger tree (`detail.size`), which the log must be able to explain; integrity when it refuses the
 *   checkpoint as no continuation of what it cosigned, or returns a wrong cosignature
 */
export async function submitToWitness(
  witness: WitnessAddress,
  note: string,
  prove: ConsistencyProver,
  options: SubmitOptions = {},
): Promise<Cosigned> {
  const { origin, size } = parseCheckpoint(parseNote(note).text)
  let oldSize = options.from ?? 0n
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const body = formatAddCheckpoint({ oldSize, proof: await prove(oldSize, size), note })
    const response = await request(witness.url, 'add-checkpoint', { method: 'POST', body }, options)
    if (response.status === 200) return readCosignature(witness, note, response.text)
    if (response.status === 422) throw otherHistory(witness, oldSize)
    if (response.status !== 409) throw refused(witness, response.status, response.text)
    const latest = sizeOf(response.text) ?? (await cosignedSize(witness, origin, options)) ?? size
    if (latest > size) throw largerTree(witness, latest, size)
    // The sizes agree, so the roots differ.
    if (latest === size && oldSize === size) throw otherHistory(witness, oldSize)
    if (latest === oldSize) throw refused(witness, response.status, response.text)
    oldSize = latest
  }
  throw new AkashiError(
    'conflict',
    `the witness ${witness.key.name} reports a different size with every request`,
    {
      hint: 'submit from only one process at a time',
    },
  )
}

function otherHistory({ key }: WitnessAddress, oldSize: bigint): AkashiError {
  return new AkashiError(
    'integrity',
    `the witness ${key.name} has cosigned a history that this checkpoint does not continue`,
    {
      hint: 'run akashi verify: entries below its size were changed, or the log was truncated',
      detail: { size: oldSize.toString() },
    },
  )
}

function largerTree({ key }: WitnessAddress, latest: bigint, size: bigint): AkashiError {
  return new AkashiError(
    'conflict',
    `the witness ${key.name} has cosigned size ${latest}, but the checkpoint has ${size}`,
    {
      hint: 'a newer checkpoint was submitted in the meantime, or the log was truncated: submit the head, and run akashi verify if the error persists',
      detail: { size: latest.toString() },
    },
  )
}

/** Size of the latest checkpoint that the witness publishes; null where it publishes none. */
async function cosignedSize(
  witness: WitnessAddress,
  origin: string,
  options: SubmitOptions,
): Promise<bigint | null> {
  const note = await witnessedNote(witness, origin, options)
  return note === null ? null : parseCheckpoint(parseNote(note).text).size
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
    `the witness ${witness.key.name} returned a checkpoint that it did not cosign`,
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

/** Submits every head to every witness concurrently; each failure is reported separately. */
export async function witnessHeads(
  database: Database,
  actor: Actor,
  witnesses: readonly WitnessAddress[],
  options: SubmitOptions = {},
): Promise<WitnessOutcome[]> {
  const heads = await database.transaction(actor, (session) => readHeads(session))
  const submissions = heads.flatMap((head) =>
    witnesses.map(async (witness): Promise<WitnessOutcome[]> => {
      const { log, epoch, origin, size, note } = head
      if (note === null) return []
      const outcome = { witness: witness.key.name, log, size: size.toString() }
      const prove: ConsistencyProver = async (first, second) => {
        const { proof } = await proveConsistency(database, actor, logNamed(log), first, second)
        return proof.map((hash) => Buffer.from(hash, 'base64'))
      }
      try {
        const from = await lastCosigned(database, actor, head, witness)
        const cosigned = await submitToWitness(witness, note, prove, { ...options, from })
        await keepCosignature(database, actor, { log, epoch, size, witness: witness.key.name, ...cosigned })
        return [{ ...outcome, cosigned, error: null }]
      } catch (error) {
        if (!(error instanceof AkashiError)) throw error
        const now = error.code === 'conflict' ? await readOwnHead(database, actor, log) : undefined
        return [{ ...outcome, cosigned: null, error: truncated(error, witness, now, origin) ?? error }]
      }
    }),
  )
  return (await Promise.all(submissions)).flat()
}

/** The largest stored size that a witness cosigned, at most that of the head; 0 for none. */
async function lastCosigned(
  database: Database,
  actor: Actor,
  { log, epoch, size }: Head,
  { key }: WitnessAddress,
): Promise<bigint> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<{ size: string }>(
        `select coalesce(max(c.size), 0)::text as size from akashi_audit.ledger_cosignatures c
         where c.log = $1 and c.epoch = $2 and c.witness = $3 and c.size <= $4::bigint`,
        [log, epoch, key.name, size.toString()],
      ),
    { readOnly: true },
  )
  return BigInt(rows[0]?.size ?? 0)
}

async function readOwnHead(database: Database, actor: Actor, log: string): Promise<Head | undefined> {
  return await database.transaction(actor, (session) => readHead(session, log))
}

/** A head never shrinks: a head that is still smaller than the cosigned size was truncated. */
function truncated(
  error: AkashiError,
  { key }: WitnessAddress,
  head: Head | undefined,
  origin: string,
): AkashiError | null {
  const { size } = error.detail
  if (typeof size !== 'string' || head === undefined || head.origin !== origin || head.size >= BigInt(size))
    return null
  return new AkashiError(
    'integrity',
    `the witness ${key.name} has cosigned size ${size} of log ${head.log}, which has ${head.size} entries: it was truncated`,
    {
      hint: 'run akashi verify, and find out who restored or changed the database',
      detail: error.detail,
      cause: error,
    },
  )
}

/** Stores a cosignature; the first one of a witness for a size is kept. */
async function keepCosignature(
  database: Database,
  actor: Actor,
  own: { log: string; epoch: number; size: bigint; witness: string } & Cosigned,
): Promise<void> {
  await database.transaction(actor, async (session) => {
    await commitDurably(session)
    await session.query(
      `insert into akashi_audit.ledger_cosignatures (log, epoch, size, witness, note, cosigned_at) values ($1, $2, $3, $4, $5, $6)
       on conflict do nothing`,
      [own.log, own.epoch, own.size.toString(), own.witness, own.note, own.at],
    )
  })
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
    if (cause instanceof AkashiError && cause.code === 'unsupported') throw cause
    throw new AkashiError('integrity', `the witness ${key.name} returned no valid cosignature`, {
      cause,
    })
  }
  throw new AkashiError('integrity', `the witness ${key.name} returned a cosignature by another key`, {
    hint: 'check the verifier key that is configured for it',
  })
}

/** null when the body is not a size. */
function sizeOf(text: string): bigint | null {
  const [, size] = /^(0|[1-9]\d{0,18})\n?$/.exec(text) ?? []
  return size === undefined ? null : BigInt(size)
}

function refused({ key }: WitnessAddress, status: number, text: string): AkashiError {
  const why =
    text
      .split('\n', 1)[0]
      ?.slice(0, 200)
      .replace(/[^\x20-\x7e]/g, '?') ?? ''
  return new AkashiError('unavailable', `the witness ${key.name} responded with ${status}: ${why}`, {
    hint:
      status === 404 || status === 403
        ? 'register this log’s origin and verifier key with the witness'
        : 'see the log of the witness',
  })
}
