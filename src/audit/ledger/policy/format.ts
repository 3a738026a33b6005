/** The current trust policy of an installation, to be kept where its administrators cannot change it. */
import { formatVerifierKey, type VerifierKey } from '../../../keys/index.ts'
import type { Actor, Database, Session } from '../../../postgres/index.ts'
import { readEpochs } from '../epoch/link.ts'
import { readHeads } from '../store.ts'
import { verifiesAny } from '../verifier-keys.ts'
import { readTrusted, type TrustedWitness } from '../witness/registry.ts'

/**
 * Prints the logs, in all their epochs and with the key that signed each, and the witnesses that are trusted now, with a
 * majority of them as the quorum.
 *
 * @param verifierKeys keys by origin
 * @param only the log of that name alone; then the policy follows the specification to the letter
 */
export async function currentPolicy(
  database: Database,
  actor: Actor,
  verifierKeys: (origin: string) => Promise<readonly VerifierKey[]>,
  only?: string,
): Promise<string> {
  const { signed, witnesses } = await database.transaction(
    actor,
    async (session) => ({ signed: await signedNotes(session), witnesses: await readTrusted(session) }),
    { readOnly: true },
  )
  const logs: string[] = []
  for (const [origin, note] of signed) {
    if (only !== undefined && !origin.endsWith(`/${only}`)) continue
    const keys = await verifierKeys(origin)
    const own = keys.filter((key) => note !== null && verifiesAny(note, [key]))
    for (const key of own.length > 0 ? own : keys) logs.push(`log ${formatVerifierKey(key)}`)
  }
  return [
    '# Policy of c2sp.org/tlog-policy. Keep it outside this installation, under other administrators.',
    ...logs,
    ...witnesses.map(({ name, key, url }) => `witness ${name} ${key} ${url}`),
    ...quorum(witnesses),
    '',
  ].join('\n')
}

/** Every origin with something that was signed under it; null where nothing is known. */
async function signedNotes(session: Session): Promise<Map<string, string | null>> {
  const notes = new Map<string, string | null>()
  const epochs = await readEpochs(session)
  const { rows: kept } = await session.query<{ note: string }>(
    'select distinct on (log, epoch) note from akashi_audit.ledger_checkpoints order by log, epoch, size',
  )
  for (const { previousOrigin } of epochs) notes.set(previousOrigin, null)
  for (const { note } of kept) notes.set(note.slice(0, note.indexOf('\n')), note)
  for (const { origin, note } of epochs) notes.set(origin, note)
  for (const { origin, note } of await readHeads(session)) if (note !== null) notes.set(origin, note)
  return notes
}

function quorum(witnesses: readonly TrustedWitness[]): string[] {
  const names = witnesses.map(({ name }) => name)
  if (names.length < 2) return [`quorum ${names[0] ?? 'none'}`]
  return [`group majority ${Math.floor(names.length / 2) + 1} ${names.join(' ')}`, 'quorum majority']
}
