/** The document of an evidence file, as docs/ledger.md specifies it. */
import { DECIMAL, HASH, isLog, isObject, type LogName } from '../proof/bundle.ts'

export interface EvidenceDocument {
  /** ISO 8601 in UTC. */
  readonly createdAt: string
  /** Bounds of `created_at` that were asked for, ISO 8601; the upper one exclusive. */
  readonly from: string
  readonly to: string
  /** The trust policy of the installation at that time, in the format of tlog-policy. */
  readonly policy: string
  /** The verifier key that signed the document. */
  readonly key: string
  readonly parts: readonly EvidencePart[]
  /** Entries within the bounds whose rows are not in the database any more, by log. */
  readonly absent: Readonly<Record<string, number>>
}

/** Rows of one log that one checkpoint covers. */
export interface EvidencePart {
  readonly log: LogName
  /** Signed note, verbatim. */
  readonly checkpoint: string
  /** In ascending order of position. */
  readonly rows: readonly EvidenceRow[]
  /**
   * Hashes in base64 of the largest subtrees without a row of this part, from left to right: what is needed to compute
   * the root, each once.
   */
  readonly nodes: readonly string[]
}

export interface EvidenceRow {
  /** A decimal. */
  readonly position: string
  /** SHA-256 of the row's encoding, in base64. It tells which row was changed. */
  readonly entry: string
  /** The columns that are not NULL, as a proof bundle writes them. Not checked yet. */
  readonly row: unknown
}

const VERSION = 1
const MEMBERS = ['absent', 'createdAt', 'from', 'key', 'parts', 'policy', 'to', 'version']

/** What is wrong with a document. */
export class NoEvidence extends Error {
  override readonly name = 'NoEvidence'
}

/** @throws NoEvidence for whatever is not exactly one; the rows themselves are not examined */
export function parseEvidence(text: string): EvidenceDocument {
  const value = parsed(text)
  if (!isObject(value)) throw new NoEvidence('the document is not a JSON object')
  const members = Object.keys(value).sort()
  if (members.join() !== MEMBERS.join()) throw new NoEvidence(`its members are ${members.join(', ')}`)
  const { version, createdAt, from, to, policy, key, parts, absent } = value
  if (version !== VERSION) throw new NoEvidence('the document is not of version 1')
  if (!Array.isArray(parts) || !isObject(absent)) throw new NoEvidence('the document has no parts')
  const checked = parts.map(parsePart)
  refuseRepeated(checked)
  return {
    createdAt: textIn(createdAt, 'createdAt'),
    from: textIn(from, 'from'),
    to: textIn(to, 'to'),
    policy: textIn(policy, 'policy'),
    key: textIn(key, 'key'),
    parts: checked,
    absent: Object.fromEntries(Object.entries(absent).map(([log, count]) => [log, countIn(count)])),
  }
}

/** A row that is there twice would look like two that happened. */
function refuseRepeated(parts: readonly EvidencePart[]): void {
  const last = new Map<LogName, bigint>()
  for (const [index, { log, rows }] of parts.entries()) {
    const [first] = rows
    const end = rows.at(-1)
    if (first === undefined || end === undefined) throw new NoEvidence(`part ${index + 1} has no rows`)
    if (BigInt(first.position) <= (last.get(log) ?? -1n))
      throw new NoEvidence(`part ${index + 1} begins before the part of ${log} that precedes it ends`)
    last.set(log, BigInt(end.position))
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new NoEvidence('the document is not JSON')
  }
}

function parsePart(value: unknown, index: number): EvidencePart {
  const of = `part ${index + 1}`
  if (!isObject(value) || Object.keys(value).sort().join() !== 'checkpoint,log,nodes,rows')
    throw new NoEvidence(`${of} has other members`)
  const { log, checkpoint, rows, nodes } = value
  if (!isLog(log)) throw new NoEvidence(`${of} is of an unknown log`)
  if (!Array.isArray(rows) || !Array.isArray(nodes)) throw new NoEvidence(`${of} has no rows`)
  const checked = rows.map((row) => parseEvidenceRow(row, of))
  for (const [at, { position }] of checked.entries()) {
    const before = checked[at - 1]
    if (before !== undefined && BigInt(before.position) >= BigInt(position))
      throw new NoEvidence(`the positions of ${of} do not ascend at ${position}`)
  }
  return {
    log,
    checkpoint: textIn(checkpoint, 'checkpoint'),
    rows: checked,
    nodes: nodes.map((node) => hashIn(node, `a hash of the tree of ${of}`)),
  }
}

function parseEvidenceRow(value: unknown, of: string): EvidenceRow {
  if (!isObject(value) || Object.keys(value).sort().join() !== 'entry,position,row')
    throw new NoEvidence(`a row of ${of} has other members`)
  const { position, entry, row } = value
  if (typeof position !== 'string' || !DECIMAL.test(position))
    throw new NoEvidence(`a position of ${of} is not a decimal`)
  return { position, entry: hashIn(entry, `the entry at position ${position} of ${of}`), row }
}

function hashIn(value: unknown, what: string): string {
  if (typeof value === 'string' && HASH.test(value)) return value
  throw new NoEvidence(`${what} is not a hash`)
}

function textIn(value: unknown, what: string): string {
  if (typeof value === 'string') return value
  throw new NoEvidence(`${what} is not a text`)
}

function countIn(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new NoEvidence('absent is not a number of entries')
}
