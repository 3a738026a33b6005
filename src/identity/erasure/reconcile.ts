/**
 * A keyring and a database agree about who was erased, unless one of them was restored from an older copy.
 * The destruction counts, wherever it is known.
 */
import { AkashiError } from '../../foundation/index.ts'
import { personKeyId } from '../../keys/index.ts'
import { anonymous } from '../../postgres/index.ts'
import { type ErasureParts, eraseUser } from './erase.ts'

const REASON = 'the key was destroyed before this copy of the database was restored'
const USERS_BATCH = 500

export interface Reconciliation {
  /** Erasures that were cut short and are completed now. */
  readonly completed: readonly string[]
  /** Erased persons whose key an older copy of the keyring brought back; it is destroyed again. */
  readonly destroyedAgain: readonly string[]
  /** Accounts that an older copy of the database brought back; they are erased again. */
  readonly erasedAgain: readonly string[]
  /** Erasures that could not be done, with the reason. */
  readonly refused: readonly { readonly userId: string; readonly reason: string }[]
  /** Users with encrypted columns of whom the keyring knows nothing: it is another one, or was lost. */
  readonly missingKeys: number
}

/** With the rights of whoever administers the database. Reads every user. Idempotent. */
export async function reconcileErasures(
  parts: ErasureParts,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Reconciliation> {
  const completed: string[] = []
  const erasedAgain: string[] = []
  const refused: { userId: string; reason: string }[] = []
  let missingKeys = 0

  const erase = async (userId: string, done: string[]) => {
    try {
      await eraseUser(parts, anonymous, userId, { confirm: userId, reason: REASON, ...options })
      done.push(userId)
    } catch (error) {
      if (!(error instanceof AkashiError) || error.code === 'cancelled') throw error
      refused.push({ userId, reason: error.message })
    }
  }

  const destroyedAgain = await destroyErasedKeys(parts)
  for (const { userId, finished } of await erasures(parts)) if (!finished) await erase(userId, completed)
  for (let after = ''; ; ) {
    const users = await livingUsers(parts, after)
    for (const { userId, encrypted } of users) {
      const state = await parts.keyring.state(personKeyId(userId))
      if (state === 'destroyed') await erase(userId, erasedAgain)
      else if (state === 'unknown' && encrypted) missingKeys += 1
    }
    const last = users.at(-1)
    if (users.length < USERS_BATCH || last === undefined) break
    after = last.userId
  }
  return { completed, destroyedAgain, erasedAgain, refused, missingKeys }
}

/**
 * Destroys again what an older copy of the keyring brought back, before anybody is served: the first part
 * of reconciling, which reads no users. Answers whose keys.
 */
export async function destroyErasedKeys(parts: ErasureParts): Promise<readonly string[]> {
  const destroyed: string[] = []
  for (const { userId, keyId, finished } of await erasures(parts)) {
    if (!finished || (await parts.keyring.state(keyId)) !== 'present') continue
    await parts.keyring.destroy(keyId)
    destroyed.push(userId)
  }
  return destroyed
}

async function erasures({ database }: ErasureParts) {
  const { rows } = await database.transaction(anonymous, (session) =>
    session.query<{ user_id: string; key_id: string; finished: boolean }>(
      'select user_id, key_id, completed_at is not null as finished from keys.erasures order by user_id',
    ),
  )
  return rows.map((row) => ({ userId: row.user_id, keyId: row.key_id, finished: row.finished }))
}

async function livingUsers({ database }: ErasureParts, after: string) {
  const { rows } = await database.transaction(anonymous, (session) =>
    session.query<{ id: string; encrypted: boolean }>(
      `select id, num_nonnulls(email_encrypted, subject_encrypted) > 0 as encrypted from auth.users
       where not is_deleted and ($1 = '' or id > nullif($1, '')::uuid) order by id limit ${USERS_BATCH}`,
      [after],
    ),
  )
  return rows.map((row) => ({ userId: row.id, encrypted: row.encrypted }))
}
