/** Makes an evidence file: rows of chosen logs, with everything that proves them. */
import type { EvidenceDocument, EvidencePart } from '@akashi/client/evidence'
import { currentPolicy, type LogDefinition, logNamed, proveRows, verifierKeys } from '../audit/index.ts'
import { AkashiError, type Clock, requireReason } from '../foundation/index.ts'
import type { Keyring } from '../keys/index.ts'
import type { Actor, Database } from '../postgres/index.ts'
import { MAX_EVIDENCE_BYTES, MAX_EVIDENCE_ROWS } from './limits.ts'
import { evidencePage, jsonForHtml } from './page.ts'
import { rangeOf } from './range.ts'
import { evidenceSigner, signDocument } from './sign.ts'

export interface EvidenceQuery {
  /** Names of logs, each once. */
  readonly logs: readonly string[]
  /** Bounds of `created_at`, ISO 8601 with a time zone; the upper one exclusive. */
  readonly from: string
  readonly to: string
  /** Why the rows are read, recorded in the trail. */
  readonly reason: string
  /** Recorded in the trail beside it. */
  readonly asked?: Readonly<Record<string, unknown>>
}

export interface EvidenceParts {
  /** Reads the rows of the logs; whoever calls checks the permissions of the logs before. */
  readonly database: Database
  readonly keyring: Keyring
  readonly clock: Clock
}

export interface EvidenceFile {
  /** Name for the file. */
  readonly name: string
  readonly html: string
  readonly rows: number
  /** Entries of the range whose rows are not in the database any more. */
  readonly absent: number
}

/**
 * @throws AkashiError invalid_input for a range that is none or has more than MAX_EVIDENCE_ROWS rows; integrity when a row
 *   is not what was sealed; unavailable where the pages are not built
 */
export async function makeEvidence(
  { database, keyring, clock }: EvidenceParts,
  actor: Actor,
  query: EvidenceQuery,
  signal: AbortSignal,
): Promise<EvidenceFile> {
  requireReason(query.reason)
  const { from, to } = rangeOf(query)
  const policy = withoutAddresses(await currentPolicy(database, actor, verifierKeys(keyring)))
  const { keyId, key } = await evidenceSigner(keyring)
  const parts: EvidencePart[] = []
  const absent: Record<string, number> = {}
  let rows = 0
  let bytes = 0
  for (const log of chosenLogs(query.logs)) {
    const limits = { maxRows: MAX_EVIDENCE_ROWS - rows, maxBytes: MAX_EVIDENCE_BYTES - bytes }
    const proven = await proveRows(database, actor, { ...query, ...limits, log, from, to }, signal)
    parts.push(...proven.parts)
    absent[log.log] = proven.absent
    rows += proven.rows
    bytes += proven.bytes
  }
  const createdAt = clock.now().toISOString()
  const document: EvidenceDocument & { version: 1 } = {
    version: 1,
    createdAt,
    from,
    to,
    policy,
    key,
    parts,
    absent,
  }
  const text = jsonForHtml(document)
  const html = await evidencePage(text, await signDocument(keyring, keyId, text))
  return {
    name: `evidence-${createdAt.slice(0, 19).replaceAll(':', '')}Z.html`,
    html,
    rows,
    absent: sum(absent),
  }
}

/** Where witnesses are is not needed to check what they signed, and may be nobody else's business. */
function withoutAddresses(policy: string): string {
  return policy.replaceAll(/^(witness \S+ \S+) \S+$/gm, '$1')
}

function chosenLogs(names: readonly string[]): readonly LogDefinition[] {
  if (names.length === 0) throw new AkashiError('invalid_input', 'no log was chosen')
  return [...new Set(names)].map(logNamed)
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0)
}
