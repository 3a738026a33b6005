/**
 * The keyring and the database agree about who was erased, unless one of them was restored from an older copy. A
 * person counts as erased if either of them says so.
 */
import { AkashiError } from '../../foundation/index.ts'
import { personKeyId } from '../../keys/index.ts'
import type { Actor } from '../../postgres/index.ts'
import { beginErasure, type ErasureParts, eraseUser } from './erase.ts'

const REASON = 'the key was destroyed before this copy of the database was restored'
const USERS_BATCH = 500

export interface Reapplied {
  /** Erased persons whose key was restored with an older copy of the keyring; it was destroyed again. */
  readonly destroyedAgain: readonly string[]
  /** Accounts that were restored with an older copy of the database; they were erased again. */
  readonly erasedAgain: readonly string[]
  /** Erasures that failed, with the reason. */
  readonly refused: readonly { readonly userId: string; readonly reason: string }[]
}

export interface Reconciliation extends Reapplied {
  /** Interrupted erasures that were completed. */
  readonly completed: readonly string[]
  /** Users with encrypted columns but without a key: the keyring is the wrong one, or keys were lost. */
  readonly missingKeys: number
}

interface Options {
  readonly signal?: AbortSignal
}

/**
 * Repeats erasures undone by a restore, before the server serves. If nothing was restored, it only compares two lists
 * and reads no users. Certificates are signed later, by {@link completeErasures}.
 *
 * For a database administrator, or the server acting on its own behalf. Idempotent, also in several processes
 * at once.
 */
export async function reapplyErasures(
  parts: ErasureParts,
  actor: Actor,
  options: Options = {},
): Promise<Reapplied> {
  const known = await erasures(parts, actor, options)
  const destroyed = await parts.keyring.destroyed()
  const destroyedAgain: string[] = []
  for (const { userId, keyId, finished } of known) {
    if (!finished || destroyed.has(keyId)) continue
    await parts.keyring.destroy(keyId)
    destroyedAgain.push(userId)
  }
  const recorded = new Set(known.map(({ keyId }) => keyId))
  const unrecorded = new Set([...destroyed].filter((keyId) => !recorded.has(keyId)))
  const back = [
    ...known.filter(({ living }) => living).map(({ userId }) => userId),
    ...(unrecorded.size === 0 ? [] : await usersOf(parts, actor, unrecorded, options)),
  ]
  const erasedAgain: string[] = []
  const refused = await tryEach(back, async (userId) => {
    await beginErasure(parts, actor, userId, { reason: REASON, ...options })
    erasedAgain.push(userId)
  })
  return { destroyedAgain, erasedAgain, refused }
}

/** Completes every started erasure and deletes salts made since; privileges and concurrency as in {@link reapplyErasures}. */
export async function completeErasures(
  parts: ErasureParts,
  actor: Actor,
  options: Options = {},
): Promise<Pick<Reconciliation, 'completed' | 'refused'>> {
  await parts.database.transaction(
    actor,
    (session) => session.query('select akashi_keys.erase_left_salts()'),
    options,
  )
  const begun = (await erasures(parts, actor, options)).filter(({ finished }) => !finished)
  const completed: string[] = []
  const refused = await tryEach(
    begun.map(({ userId }) => userId),
    async (userId) => {
      await eraseUser(parts, actor, userId, { confirm: userId, reason: REASON, ...options })
      completed.push(userId)
    },
  )
  return { completed, refused }
}

/** Both of the above, and a check for missing keys, which reads a file for every user. */
export async function reconcileErasures(
  parts: ErasureParts,
  actor: Actor,
  options: Options = {},
): Promise<Reconciliation> {
  const reapplied = await reapplyErasures(parts, actor, options)
  const { completed, refused } = await completeErasures(parts, actor, options)
  let missingKeys = 0
  for await (const { userId, encrypted } of users(parts, actor, options)) {
    if (encrypted && (await parts.keyring.state(personKeyId(userId))) === 'unknown') missingKeys += 1
  }
  return {
    ...reapplied,
    completed: completed.filter((userId) => !reapplied.erasedAgain.includes(userId)),
    refused: [...reapplied.refused, ...refused],
    missingKeys,
  }
}

/** Runs `work` for each user and returns the failures, which do not stop the others. */
async function tryEach(
  userIds: Iterable<string>,
  work: (userId: string) => Promise<void>,
): Promise<Reapplied['refused']> {
  const refused: { userId: string; reason: string }[] = []
  for (const userId of userIds) {
    try {
      await work(userId)
    } catch (error) {
      if (!(error instanceof AkashiError) || error.code === 'cancelled') throw error
      refused.push({ userId, reason: error.message })
    }
  }
  return refused
}

interface Known {
  readonly userId: string
  readonly keyId: string
  /** The certificate is signed. */
  readonly finished: boolean
  /** The account exists nevertheless. */
  readonly living: boolean
}

async function erasures(
  { database }: ErasureParts,
  actor: Actor,
  options: Options,
): Promise<readonly Known[]> {
  const { rows } = await database.transaction(
    actor,
    (session) =>
      session.query<Known>(
        `select e.user_id as "userId", e.key_id as "keyId", e.completed_at is not null as finished,
                coalesce(not u.is_deleted, false) as living
         from akashi_keys.erasures e left join akashi_auth.users u on u.id = e.user_id order by e.user_id`,
      ),
    options,
  )
  return rows
}

async function usersOf(
  parts: ErasureParts,
  actor: Actor,
  keyIds: ReadonlySet<string>,
  options: Options,
): Promise<readonly string[]> {
  const found: string[] = []
  for await (const { userId } of users(parts, actor, options)) {
    if (keyIds.has(personKeyId(userId))) found.push(userId)
  }
  return found
}

interface LivingUser {
  readonly userId: string
  readonly encrypted: boolean
}

/** Every user who is not erased. */
async function* users(
  { database }: ErasureParts,
  actor: Actor,
  options: Options,
): AsyncGenerator<LivingUser, void, undefined> {
  for (let after: string | null = null; ; ) {
    const from: string | null = after
    const batch: readonly LivingUser[] = await database.transaction(
      actor,
      async (session) => {
        const { rows } = await session.query<LivingUser>(
          `select id as "userId", num_nonnulls(email_encrypted, subject_encrypted) > 0 as encrypted from akashi_auth.users
           where not is_deleted and ($1::uuid is null or id > $1) order by id limit ${USERS_BATCH}`,
          [from],
        )
        return rows
      },
      options,
    )
    yield* batch
    after = batch.at(-1)?.userId ?? null
    if (batch.length < USERS_BATCH) return
  }
}
