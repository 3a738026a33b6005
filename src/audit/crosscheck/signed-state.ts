/** What the cross-check keeps of its progress is signed: whoever changes it in the database could leave ranges out. */
import { createHash } from 'node:crypto'
import { type Keyring, signNote } from '../../keys/index.ts'
import { formatLsn, type Lsn } from '../../postgres/index.ts'
import { verifierKeys, verifiesAny } from '../ledger/verifier-keys.ts'
import { nameOf, type Protection } from './protections.ts'

/** The name under which the key of the checkpoints signs here. */
const NAME = 'akashi/crosscheck'

export interface SignedState {
  readonly slot: string
  readonly systemIdentifier: string
  readonly timeline: number
  /** Everything before it is compared. */
  readonly compared: Lsn
  readonly sealed: Lsn
  /** The latest time of a commit up to there, in microseconds since 1970. */
  readonly latestCommit: bigint
  readonly protections: readonly Protection[]
  /** Digests of what is kept of the catalog, by the name of the table. */
  readonly traces: ReadonlyMap<string, string>
}

export async function signState(keyring: Keyring, state: SignedState): Promise<string> {
  const { id } = await keyring.ensure('checkpoint')
  return await signNote(keyring, id, NAME, textOf(state))
}

/**
 * Whether the key in use signed this state. A key that was replaced may have leaked: there is one state, and a rotation
 * signs it again, so no older key is ever valid.
 *
 * @param keys how many of the newest keys count
 */
export async function isSigned(
  keyring: Keyring,
  state: SignedState,
  note: string,
  keys = 1,
): Promise<boolean> {
  return (
    note.startsWith(`${textOf(state)}\n`) &&
    verifiesAny(note, (await verifierKeys(keyring)(NAME)).slice(-keys))
  )
}

function textOf(state: SignedState): string {
  const protections = state.protections
    .map(({ schema, table, key, ignored, digested, omitted }) => ({
      name: nameOf(schema, table),
      how: [schema, table, key, ignored, digested, omitted],
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const traces = [...state.traces].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const digest = createHash('sha256').update(
    JSON.stringify([
      state.slot,
      state.systemIdentifier,
      state.timeline,
      formatLsn(state.compared),
      formatLsn(state.sealed),
      state.latestCommit.toString(),
      protections.map(({ how }) => how),
      traces,
    ]),
  )
  return `akashi/crosscheck/1\n${digest.digest('base64')}\n`
}
