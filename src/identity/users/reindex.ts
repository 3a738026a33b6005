import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError, given } from '../../foundation/index.ts'
import { INDEX_KEYS_MS, type Keyring, openPersonVault, type PersonVault } from '../../keys/index.ts'
import { type Actor, type Database, SQLSTATE, sqlState } from '../../postgres/index.ts'
import { indexesOf, openRow, type UserRow, userColumns } from './personal.ts'

const BATCH_ROWS = 200

export interface IndexRotation {
  /** The key that values are indexed under now. */
  readonly keyId: string
  /** True when it went on with a rotation that was cut short. */
  readonly resumed: boolean
  /** Users whose indexes were written anew by this run. */
  readonly reindexed: number
  /** Users who had an e-mail of somebody else when it ended; the rotation stays open until that is mended. */
  readonly conflicts: readonly string[]
}

/**
 * A new key for blind indexes, and every user's index under it, while everything goes on: meanwhile people
 * are looked for under both keys. Killed at any moment, it is gone on with by the next run. For the role
 * `worker`, or whoever administers the database.
 */
export async function rotateIndexes(
  { database, keyring }: { readonly database: Database; readonly keyring: Keyring },
  actor: Actor,
  options: {
    readonly signal?: AbortSignal
    /** Users looked at so far in this pass. */
    readonly onProgress?: (done: number) => void
  } = {},
): Promise<IndexRotation> {
  const { signal, onProgress } = options
  const { keyId, resumed } = await keyring.beginIndexRotation()
  const parts = { database, vault: openPersonVault(keyring) }
  let reindexed = 0
  const conflicts = new Set<string>()
  for (let found = -1; found !== 0; ) {
    // By then every process looks under both keys, and writes under the new one alone.
    await pause(signal)
    found = 0
    conflicts.clear()
    let done = 0
    for await (const row of users(database, actor, signal)) {
      const outcome = await reindex(parts, actor, row)
      if (outcome === 'conflict') conflicts.add(row.id)
      if (outcome === 'written') found += 1
      done += 1
      onProgress?.(done)
    }
    reindexed += found
  }
  if (conflicts.size === 0) await keyring.endIndexRotation()
  return { keyId, resumed, reindexed, conflicts: [...conflicts] }
}

interface IndexedRow extends UserRow {
  readonly subject_index: Uint8Array | null
  readonly email_index: Uint8Array | null
}

async function reindex(
  { database, vault }: { readonly database: Database; readonly vault: PersonVault },
  actor: Actor,
  row: IndexedRow,
): Promise<'same' | 'written' | 'conflict'> {
  const next = await indexesOf(vault, await openRow(vault, row))
  const subject = row.subject_index === null ? null : next.subject_index
  const email = row.email_index === null ? null : next.email_index
  if (same(subject, row.subject_index) && same(email, row.email_index)) return 'same'
  // Erased, with the row to follow: it is looked for by nobody.
  if ((subject === null && row.subject_index !== null) || (email === null && row.email_index !== null))
    return 'same'
  try {
    return await database.transaction(actor, async (session) => {
      // Only what was read is replaced: the person may have another address meanwhile, or be erased.
      const { rows } = await session.query(
        `update akashi_auth.users set subject_index = $2, email_index = $3
         where id = $1 and subject_index is not distinct from $4 and email_index is not distinct from $5 returning id`,
        [row.id, subject, email, row.subject_index, row.email_index],
      )
      return rows.length === 0 ? 'same' : 'written'
    })
  } catch (error) {
    if (sqlState(error) === SQLSTATE.uniqueViolation) return 'conflict'
    throw error
  }
}

async function* users(
  database: Database,
  actor: Actor,
  signal: AbortSignal | undefined,
): AsyncGenerator<IndexedRow, void, undefined> {
  for (let after: string | null = null; ; ) {
    const from: string | null = after
    const batch: readonly IndexedRow[] = await database.transaction(
      actor,
      async (session) => {
        const { rows } = await session.query<IndexedRow>(
          `select ${userColumns}, subject_index, email_index from akashi_auth.users
           where not is_deleted and num_nonnulls(subject_index, email_index) > 0 and ($1::uuid is null or id > $1)
           order by id limit ${BATCH_ROWS}`,
          [from],
        )
        return rows
      },
      given({ signal }),
    )
    yield* batch
    after = batch.at(-1)?.id ?? null
    if (batch.length < BATCH_ROWS) return
  }
}

function same(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one === null || other === null ? one === other : Buffer.compare(one, other) === 0
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(INDEX_KEYS_MS * 2, undefined, signal === undefined ? {} : { signal })
  } catch (cause) {
    throw new AkashiError('cancelled', 'the rotation was stopped', {
      hint: 'run it again: it goes on where it stopped',
      cause,
    })
  }
}
