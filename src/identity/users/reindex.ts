import { setTimeout as sleep } from 'node:timers/promises'
import { AkashiError, given } from '../../foundation/index.ts'
import { INDEX_KEYS_MS, type Keyring, openPersonVault, type PersonVault } from '../../keys/index.ts'
import { type Actor, type Database, SQLSTATE, sqlState } from '../../postgres/index.ts'
import { indexesOf, openRow, type UserRow, userColumns } from './personal.ts'

const BATCH_ROWS = 200

export interface IndexRotation {
  /** The new index key. */
  readonly keyId: string
  /** True when it continued an interrupted rotation. */
  readonly resumed: boolean
  /** Number of users whose indexes this run updated. */
  readonly reindexed: number
  /** Users whose e-mail address another user has; the rotation stays incomplete until that is fixed. */
  readonly conflicts: readonly string[]
}

/**
 * Creates a new blind index key and reindexes every user, online: meanwhile lookups use both keys. If interrupted, the
 * next run continues it. For the role `worker`, or a database administrator.
 */
export async function rotateIndexes(
  { database, keyring }: { readonly database: Database; readonly keyring: Keyring },
  actor: Actor,
  options: {
    readonly signal?: AbortSignal
    /** Users processed so far in this pass. */
    readonly onProgress?: (done: number) => void
  } = {},
): Promise<IndexRotation> {
  const { signal, onProgress } = options
  const { keyId, resumed } = await keyring.beginIndexRotation()
  const parts = { database, vault: openPersonVault(keyring) }
  let reindexed = 0
  const conflicts = new Set<string>()
  for (let found = -1; found !== 0; ) {
    // Until then every process has noticed: it reads with both keys and writes with the new one.
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
  // The person is being erased, so the index is no longer needed.
  if ((subject === null && row.subject_index !== null) || (email === null && row.email_index !== null))
    return 'same'
  try {
    return await database.transaction(actor, async (session) => {
      // Replaces only the values that were read, since the address may have changed or been erased meanwhile.
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
    await sleep(INDEX_KEYS_MS * 2, undefined, given({ signal }))
  } catch (cause) {
    throw new AkashiError('cancelled', 'the rotation was interrupted', {
      hint: 'run it again to continue',
      cause,
    })
  }
}
