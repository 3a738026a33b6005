/**
 * Compares a log with what the verifier trusts from outside the database: the origins and keys that the policy pins,
 * and the cosignatures of witnesses.
 */
import { AkashiError } from '../../../foundation/index.ts'
import { cosignedAt, parseNote } from '../../../keys/index.ts'
import type { Actor, Database, Session } from '../../../postgres/index.ts'
import { parseCheckpoint } from '../checkpoint.ts'
import type { Head } from '../store.ts'
import type { ProblemList } from '../verify/problems.ts'
import { askWitnesses, type WitnessResponse } from '../witness/ask.ts'
import { type TrustedWitness, trustedWitnesses, witnessAddress } from '../witness/registry.ts'
import { type Policy, type PolicyWitness, quorumMet, sameKey } from './policy.ts'

/** Hours for which entries may stay without the cosignatures of the quorum. */
const UNWITNESSED_MAX_HOURS = 24
const HOUR_MS = 3_600_000

/** What trust is based on, gathered before the snapshot of a verification is taken. */
export interface Trust {
  readonly policy: Policy | null
  /** Witnesses registered in the database. */
  readonly trusted: readonly TrustedWitness[]
  /** Of these and of the witnesses of the policy. */
  readonly responses: readonly WitnessResponse[]
  /** Remarks for the reader of the report, added while logs are verified. */
  readonly notes: Set<string>
}

/** Queries the witnesses of the policy and those registered in the database. */
export async function gatherTrust(
  database: Database,
  actor: Actor,
  policy: Policy | null,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Trust> {
  const trusted = await trustedWitnesses(database, actor)
  const notes = new Set<string>()
  const addresses = new Map<string, ReturnType<typeof witnessAddress>>()
  for (const witness of trusted) {
    try {
      addresses.set(witness.key, witnessAddress(witness))
    } catch (error) {
      // A malformed key, which verification reports.
      if (!(error instanceof AkashiError)) throw error
    }
  }
  for (const { key, url } of policy?.witnesses ?? []) {
    const known = [...addresses].find(([, address]) => sameKey(address.key, key))
    if (url !== null) {
      if (known !== undefined) addresses.delete(known[0])
      addresses.set(`policy ${key.name}`, { url, key })
    }
  }
  const pinned = (policy?.logs ?? []).map(({ name }) => name)
  const responses = await askWitnesses(database, actor, [...addresses.values()], pinned, options)
  notes.add(
    policy === null
      ? 'trust: origin, keys and witnesses come from the database and keyring being verified; pin them with --policy FILE'
      : `trust: origin, keys and witnesses come from the policy (${policy.logs.length} logs, ${policy.witnesses.length} witnesses)`,
  )
  return { policy, trusted, responses, notes }
}

/** The checkpoints of a log that witnesses hold, for verification to compare with the tree. */
export function witnessedNotes({ responses }: Trust, log: string): string[] {
  return responses.flatMap((response) =>
    response.log === log && response.note !== null ? [response.note] : [],
  )
}

/** Checks one log; finding problems is a result. */
export async function verifyTrust(
  session: Session,
  head: Head,
  trust: Trust,
  problems: ProblemList,
): Promise<void> {
  const { policy } = trust
  const wrong = (detail: string) => problems.add('checkpoint', head.size, head.origin, detail)
  if (policy !== null) await verifyPinnedOrigins(session, head, policy, wrong)
  verifyWitnesses(head, trust, await isPublished(session, head), wrong)
  if (policy !== null) await verifyQuorum(session, head, policy, trust, wrong)
  for (const detail of await conflicts(session, head.log)) wrong(detail)
}

async function verifyPinnedOrigins(
  session: Session,
  head: Head,
  { logs }: Policy,
  wrong: (detail: string) => void,
): Promise<void> {
  const pinned = new Set(logs.map(({ name }) => name).filter((origin) => origin.endsWith(`/${head.log}`)))
  if (head.note !== null && !pinned.has(head.origin)) {
    wrong(
      `the origin of this log is ${head.origin}, which the policy does not pin${pinned.size === 0 ? '' : `; it pins ${[...pinned].join(', ')}`}`,
    )
  }
  const { rows } = await session.query<{ origin: string }>(
    `select previous_origin as origin from akashi_audit.ledger_epochs where log = $1
     union select unnest(given_up) from akashi_audit.ledger_epochs where log = $1`,
    [head.log],
  )
  const known = new Set([...(head.note === null ? [] : [head.origin]), ...rows.map(({ origin }) => origin)])
  for (const origin of pinned) {
    if (!known.has(origin)) wrong(`the policy pins the origin ${origin}, which this database does not have`)
  }
}

/** Whether the log has published a checkpoint in this epoch. */
async function isPublished(session: Session, { log, epoch }: Head): Promise<boolean> {
  const { rows } = await session.query<{ found: boolean }>(
    'select exists (select from akashi_audit.ledger_checkpoints where log = $1 and epoch = $2) as found',
    [log, epoch],
  )
  return rows[0]?.found === true
}

function verifyWitnesses(
  head: Head,
  { policy, trusted, responses, notes }: Trust,
  published: boolean,
  wrong: (detail: string) => void,
): void {
  for (const { witness, origin, log, note, error } of responses) {
    if (log !== head.log) continue
    if (error?.code === 'integrity') wrong(`of ${origin}: ${error.message}`)
    else if (error?.code === 'unsupported')
      notes.add(`the cosignatures of the witness ${witness} were not checked: ${error.message}`)
    else if (error !== null) notes.add(`the witness ${witness} could not be queried: ${error.message}`)
    else if (note === null && origin === head.origin && head.note !== null && (published || policy !== null))
      wrong(`the trusted witness ${witness} has never seen this origin, ${origin}`)
  }
  for (const { key } of policy?.witnesses ?? []) {
    if (!trusted.some((known) => isKey(known, key)))
      wrong(`the policy lists the witness ${key.name}, but this database does not submit to it`)
  }
}

function isKey(trusted: TrustedWitness, key: PolicyWitness['key']): boolean {
  try {
    return sameKey(witnessAddress(trusted).key, key)
  } catch (error) {
    if (error instanceof AkashiError) return false
    throw error
  }
}

interface Vouched {
  readonly size: bigint
  readonly at: Date
}

/**
 * A witness that cosigned a tree also vouches for the smaller trees that it extends, so the quorum is met at the largest
 * size that enough witnesses have cosigned or exceeded. The roots are compared by publishedCheckpoints().
 */
async function verifyQuorum(
  session: Session,
  head: Head,
  policy: Policy,
  { responses, notes }: Trust,
  wrong: (detail: string) => void,
): Promise<void> {
  if (policy.quorum.kind === 'none' || head.note === null) return
  const vouched = new Map<PolicyWitness, Vouched>()
  for (const witness of policy.witnesses) {
    const kept = await keptNotes(session, head, witness.key.name)
    const own = responses
      .filter((response) => response.witness === witness.key.name && response.origin === head.origin)
      .flatMap(({ note }) => (note === null ? [] : [note]))
    for (const note of [...own, ...kept]) {
      const found = vouchedBy(witness, note, head.origin, notes)
      const before = vouched.get(witness)
      if (found !== null && (before === undefined || found.size > before.size)) vouched.set(witness, found)
    }
  }
  const sizes = [...new Set([...vouched.values()].map(({ size }) => size))].sort((a, b) => (a < b ? 1 : -1))
  const size = sizes.find((candidate) =>
    quorumMet(policy.quorum, (witness) => (vouched.get(witness)?.size ?? -1n) >= candidate),
  )
  const silent = policy.witnesses.filter((witness) => !vouched.has(witness)).map(({ name }) => name)
  if (size === undefined) {
    wrong(
      `the quorum of the policy is not met: no checkpoint of ${head.origin} is cosigned by enough witnesses${silent.length === 0 ? '' : `, none by ${silent.join(', ')}`}`,
    )
    return
  }
  const last = Math.max(
    ...[...vouched.values()].filter((by) => by.size >= size).map(({ at }) => at.getTime()),
  )
  const at = new Date(last).toISOString()
  notes.add(
    `${head.log}: ${size} of ${head.size} entries are cosigned by the quorum, the last of them at ${at}`,
  )
  if (size < head.size && Date.now() - last > UNWITNESSED_MAX_HOURS * HOUR_MS)
    wrong(
      `the entries from ${size} on are not cosigned by the quorum of the policy, which last cosigned at ${at}`,
    )
}

/** The largest cosigned checkpoint of a witness in this epoch, as stored in the database. */
async function keptNotes(session: Session, { log, epoch }: Head, witness: string): Promise<string[]> {
  const { rows } = await session.query<{ note: string }>(
    `select note from akashi_audit.ledger_cosignatures where log = $1 and epoch = $2 and witness = $3
     order by size desc limit 1`,
    [log, epoch, witness],
  )
  return rows.map(({ note }) => note)
}

/** What the witness vouches for by a note; null when it did not sign it, or not as a checkpoint of this origin. */
function vouchedBy({ key }: PolicyWitness, note: string, origin: string, notes: Set<string>): Vouched | null {
  try {
    const at = cosignedAt(note, key)
    const checkpoint = parseCheckpoint(parseNote(note).text)
    return at === null || checkpoint.origin !== origin ? null : { size: checkpoint.size, at }
  } catch (error) {
    if (!(error instanceof AkashiError)) throw error
    if (error.code === 'unsupported')
      notes.add(`the cosignatures of the witness ${key.name} were not checked: ${error.message}`)
    return null
  }
}

/** Alarms about witnesses that refused this log and have not cosigned it since. */
async function conflicts(session: Session, log: string): Promise<string[]> {
  const { rows } = await session.query<{ subject: string; detail: string }>(
    `select subject, detail from akashi_audit.standing_alarms
     where kind = 'witness_conflict' and right(subject, length($1)) = $1 order by subject`,
    [`, log ${log}`],
  )
  return rows.map(({ subject, detail }) => `${subject}: ${detail}`)
}
