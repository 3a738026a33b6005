/**
 * Checks an evidence file: many rows against a few checkpoints, with the keys alone. What fails is named, by row where it
 * can be told.
 */
import { encodingOf, type LogName, NoBundle, parseRow } from '../proof/bundle.ts'
import { type Bytes, fromBase64, isSame, sha256, toHex, utf8 } from '../proof/bytes.ts'
import { type Cosignature, cosignaturesOf } from '../proof/cosignature.ts'
import {
  type Checkpoint,
  checkpointIn,
  keysIn,
  parseNote,
  signerOf,
  Unsupported,
  type VerifierKey,
} from '../proof/note.ts'
import {
  type EvidenceDocument,
  type EvidencePart,
  type EvidenceRow,
  NoEvidence,
  parseEvidence,
} from './document.ts'
import { NoPolicy, parsePolicy, type QuorumState, quorumState, type TrustPolicy } from './policy.ts'
import { MultiProofMismatch, rootFromRows } from './rows-root.ts'

/** First line of the note that signs a document; the second is the SHA-256 of the document in hexadecimal. */
export const EVIDENCE_NOTE = 'akashi/evidence/1'
/** Name that it is signed as. */
export const EVIDENCE_SIGNER = 'akashi.local/evidence'

export interface CheckedRow {
  readonly position: string
  /** As the file has it, whether or not it is proven. */
  readonly row: Readonly<Record<string, string | readonly string[]>>
  readonly state: 'proven' | 'changed' | 'not proven'
}

export interface CheckedPart {
  readonly log: LogName
  /** Null where the checkpoint is not valid. */
  readonly checkpoint: { readonly origin: string; readonly size: string } | null
  readonly cosignatures: readonly Cosignature[]
  readonly quorum: QuorumState
  readonly rows: readonly CheckedRow[]
  /** Stretches of positions between the rows that are not in the file, both ends included. */
  readonly gaps: readonly { readonly first: string; readonly last: string }[]
}

/**
 * - `document`: not readable, so that nothing is checked
 * - `note`: it is not the document that was signed
 * - `policy`, `checkpoint`, `cosignature`, `row`, `entry`, `tree`: this is not valid
 * - `platform`: cannot be checked here
 */
export interface EvidenceProblem {
  readonly kind:
    | 'document'
    | 'note'
    | 'policy'
    | 'checkpoint'
    | 'cosignature'
    | 'row'
    | 'entry'
    | 'tree'
    | 'platform'
  readonly log: LogName | null
  /** Of the row, a decimal. */
  readonly position: string | null
  readonly detail: string
}

export interface CheckedEvidence {
  /**
   * - `witnessed`: every row is proven, and the quorum of the policy cosigned each checkpoint
   * - `signed`: every row is proven, by the signature of the log alone for some of them
   * - `failed`: see the problems
   */
  readonly verdict: 'witnessed' | 'signed' | 'failed'
  /** Whether the keys were given, or come from the file itself and so prove nothing against who made it. */
  readonly trust: 'given' | 'file'
  /** Whether the key that signed the document was given; one from the file says nothing about who made it. */
  readonly signer: 'given' | 'file'
  readonly problems: readonly EvidenceProblem[]
  readonly parts: readonly CheckedPart[]
  readonly document: EvidenceDocument | null
}

/**
 * @param text the document
 * @param note the signed note about it
 * @param given a trust policy obtained elsewhere; its log keys and quorum decide. The key that
 *   signs evidence may be in a comment of it
 */
export async function verifyEvidence(text: string, note: string, given?: string): Promise<CheckedEvidence> {
  const problems: EvidenceProblem[] = []
  const add = (
    kind: EvidenceProblem['kind'],
    detail: string,
    log: LogName | null = null,
    position: string | null = null,
  ) => {
    problems.push({ kind, log, position, detail })
  }
  const trust = given === undefined ? 'file' : 'given'
  let signer: CheckedEvidence['signer'] = 'file'
  const ended = (document: EvidenceDocument | null, parts: readonly CheckedPart[]): CheckedEvidence => {
    // Of a file without rows there is nothing that anybody confirmed.
    const witnessed = parts.length > 0 && parts.every(({ quorum }) => quorum === 'met')
    const verdict = problems.length > 0 ? 'failed' : witnessed ? 'witnessed' : 'signed'
    return { verdict, trust, signer, problems, parts, document }
  }
  try {
    const document = parseEvidence(text)
    const policy = await parsePolicy(given ?? document.policy)
    const pinned = await evidenceKeys(given ?? '')
    if (pinned.length > 0) signer = 'given'
    const wrong = await noteProblem(text, note, pinned.length > 0 ? pinned : await evidenceKeys(document.key))
    if (wrong !== null) add('note', wrong)
    const parts: CheckedPart[] = []
    for (const part of document.parts) parts.push(await checkPart(part, policy, add))
    return ended(document, parts)
  } catch (error) {
    if (error instanceof NoEvidence) add('document', error.message)
    else if (error instanceof NoPolicy) add('policy', error.message)
    else if (error instanceof Unsupported) add('platform', error.message)
    else throw error
    return ended(null, [])
  }
}

async function evidenceKeys(text: string): Promise<readonly VerifierKey[]> {
  return (await keysIn(text)).filter(({ name }) => name === EVIDENCE_SIGNER)
}

async function noteProblem(text: string, note: string, keys: readonly VerifierKey[]): Promise<string | null> {
  const parsed = parseNote(note)
  if (parsed === null) return 'the note that signs the document is not a signed note'
  if ((await signerOf(parsed, keys)) === null) return 'the note is not signed by the key for evidence'
  const digest = toHex(await sha256(utf8(text)))
  return parsed.text === `${EVIDENCE_NOTE}\n${digest}\n`
    ? null
    : `the document was changed after it was signed: its SHA-256 is ${digest}`
}

type Add = (
  kind: EvidenceProblem['kind'],
  detail: string,
  log?: LogName | null,
  position?: string | null,
) => void

async function checkPart(part: EvidencePart, policy: TrustPolicy, add: Add): Promise<CheckedPart> {
  const { log, rows } = part
  const signed = await signedCheckpoint(part, policy, add)
  const computed = await Promise.all(rows.map((row) => entryOf(log, row)))
  const stated = rows.map(({ entry }) => fromBase64(entry) ?? new Uint8Array())
  const changed = rows.map((_, index) => {
    const entry = computed[index]
    return !(entry instanceof Uint8Array) || !isSame(entry, stated[index] ?? new Uint8Array())
  })
  const { whole, others } =
    signed === null
      ? { whole: false, others: false }
      : await proves(part, signed.checkpoint, computed, stated, changed)
  if (signed !== null && !others && !whole)
    add('tree', 'rows and tree hashes of the file do not lead to the root of the signed checkpoint', log)
  const checked = rows.map(({ position, row }, index): CheckedRow => {
    const entry = computed[index]
    if (changed[index] === true) {
      if (whole) add('entry', 'the stated entry is not that of the row', log, position)
      else add('row', typeof entry === 'string' ? entry : 'the row is not what was sealed', log, position)
    }
    const state = whole ? 'proven' : changed[index] === true ? 'changed' : others ? 'proven' : 'not proven'
    return { position, row: shown(row), state }
  })
  return {
    log,
    checkpoint:
      signed === null ? null : { origin: signed.checkpoint.origin, size: signed.checkpoint.size.toString() },
    cosignatures: signed?.cosignatures ?? [],
    quorum: signed === null ? 'not met' : quorumState(policy, signed.cosignatures),
    rows: checked,
    gaps: gapsBetween(rows),
  }
}

interface Signed {
  readonly checkpoint: Checkpoint
  readonly cosignatures: readonly Cosignature[]
}

async function signedCheckpoint(
  { log, checkpoint: text }: EvidencePart,
  { logs, witnesses }: TrustPolicy,
  add: Add,
): Promise<Signed | null> {
  const note = parseNote(text)
  const checkpoint = note === null ? null : checkpointIn(note.text)
  if (note === null || checkpoint === null) {
    add('checkpoint', 'not a signed note with a checkpoint', log)
    return null
  }
  if (!checkpoint.origin.endsWith(`/${log}`)) {
    add('checkpoint', `it belongs to ${checkpoint.origin}`, log)
    return null
  }
  try {
    const keys = logs.filter(({ name }) => name === checkpoint.origin)
    if ((await signerOf(note, keys)) === null) {
      add('checkpoint', `no valid signature of ${checkpoint.origin} by a key of the policy`, log)
      return null
    }
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error
    add('platform', error.message, log)
    return null
  }
  const cosignatures = await cosignaturesOf(note, checkpoint, witnesses)
  for (const { witness, state } of cosignatures)
    if (state === 'wrong') add('cosignature', `the cosignature of ${witness} is not valid`, log)
  return { checkpoint, cosignatures }
}

/** The row's entry, or what is wrong with the row. */
async function entryOf(log: LogName, { row }: EvidenceRow): Promise<Bytes | string> {
  try {
    return await sha256(utf8(encodingOf({ log, row: parseRow(log, row) })))
  } catch (error) {
    if (error instanceof NoBundle) return error.message
    throw error
  }
}

/**
 * What leads to the signed root: `whole`, all rows as they are; `others`, the stated entries, so that every row that
 * has its stated entry is proven although others were changed.
 */
async function proves(
  part: EvidencePart,
  checkpoint: Checkpoint,
  computed: readonly (Bytes | string)[],
  stated: readonly Bytes[],
  changed: readonly boolean[],
): Promise<{ readonly whole: boolean; readonly others: boolean }> {
  const positions = part.rows.map(({ position }) => BigInt(position))
  const nodes = part.nodes.map((node) => fromBase64(node) ?? new Uint8Array())
  const leads = async (entries: readonly Bytes[]): Promise<boolean> => {
    try {
      return isSame(await rootFromRows(checkpoint.size, positions, entries, nodes), checkpoint.root)
    } catch (error) {
      if (error instanceof MultiProofMismatch) return false
      throw error
    }
  }
  const entries = computed.filter((entry) => entry instanceof Uint8Array)
  const whole = entries.length === computed.length && (await leads(entries))
  return { whole, others: !whole && changed.includes(true) ? await leads(stated) : whole }
}

function shown(row: unknown): CheckedRow['row'] {
  if (typeof row !== 'object' || row === null) return {}
  const values = Object.entries(row).filter(
    (column): column is [string, string | string[]] =>
      typeof column[1] === 'string' || Array.isArray(column[1]),
  )
  return Object.fromEntries(
    values.map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : value]),
  )
}

function gapsBetween(rows: readonly EvidenceRow[]): CheckedPart['gaps'] {
  const gaps: { first: string; last: string }[] = []
  for (const [index, { position }] of rows.entries()) {
    const before = rows[index - 1]
    const first = before === undefined ? null : BigInt(before.position) + 1n
    if (first !== null && first < BigInt(position))
      gaps.push({ first: first.toString(), last: (BigInt(position) - 1n).toString() })
  }
  return gaps
}
