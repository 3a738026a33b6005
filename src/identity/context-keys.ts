/** Keys that request contexts are signed with: those of applications, and Akashi's own. */
import type { Actor, ContextKey, Database, Session } from '../postgres/index.ts'

export interface ContextKeyInfo {
  readonly id: string
  /** Whose users the key speaks for; `akashi` for Akashi's own. */
  readonly application: string
  /** The only login whose contexts it verifies; null for Akashi's own. */
  readonly login: string | null
  readonly createdAt: Date
  /** When a replaced key stops counting; null for one in use. */
  readonly expiresAt: Date | null
}

/** Prefix of the text that an application gets. */
const TOKEN_PREFIX = 'akctx'

/** Makes a key for the contexts of one login. @returns its id and `akctx_ID_SECRET`, the secret in hexadecimal */
export async function createContextKey(
  database: Database,
  actor: Actor,
  { application, login }: { readonly application: string; readonly login: string },
): Promise<{ readonly id: string; readonly key: string }> {
  return await database.transaction(actor, async (session) => {
    const { rows } = await session.query<{ id: string; secret: Buffer }>(
      'select key_id as id, secret from akashi_auth.create_context_key($1, $2)',
      [application, login],
    )
    const [made] = rows
    if (made === undefined) throw new Error('a key was made')
    return { id: made.id, key: `${TOKEN_PREFIX}_${made.id}_${made.secret.toString('hex')}` }
  })
}

export async function listContextKeys(database: Database, actor: Actor): Promise<ContextKeyInfo[]> {
  return await database.transaction(
    actor,
    async (session) => {
      const { rows } = await session.query<ContextKeyInfo>(
        `select id, application, login, created_at as "createdAt", expires_at as "expiresAt"
         from akashi_auth.context_keys order by application, created_at, id`,
      )
      return rows
    },
    { readOnly: true },
  )
}

/** @throws not_found unless it is the key of an application */
export async function revokeContextKey(database: Database, actor: Actor, id: string): Promise<void> {
  await database.transaction(actor, (session) =>
    session.query('select akashi_auth.revoke_context_key($1)', [id]),
  )
}

/** Akashi signs with this key from now on; the former one remains valid for transactions that have begun. */
export async function useContextKey(session: Session, { id, secret }: ContextKey): Promise<void> {
  await session.query('select akashi_auth.use_context_key($1, $2)', [id, Buffer.from(secret)])
}

/** Ids of the keys that Akashi signs with now. */
export async function activeContextKeys(session: Session): Promise<string[]> {
  const { rows } = await session.query<{ id: string }>('select id from akashi_auth.active_context_keys() id')
  return rows.map(({ id }) => id)
}
