/**
 * Erases a person: one transaction deletes the account and its plain values, then the person's key is destroyed, then
 * the salts of digests, and a certificate is signed. Each step is committed before the next and is idempotent, so that
 * an interrupted erasure can be repeated.
 */
import type { Erasure } from '@akashi/contract'
import { AkashiError, given } from '../../foundation/index.ts'
import { type Keyring, personKeyId } from '../../keys/index.ts'
import type { Actor, Database, Session } from '../../postgres/index.ts'
import { COPIES, placesSchema, signCertificate } from './certificate.ts'

/** Milliseconds for counting a person's audit rows, for which there is no index. */
const COUNT_TIMEOUT_MS = 3_600_000

export interface ErasureParts {
  /** Of the role `app` with the actor's context, or of an administrator of the database. */
  readonly database: Database
  readonly keyring: Keyring
}

/**
 * @param userId `akashi_auth.users.id`
 * @param options confirm: the username or the id, repeated; reason: up to 1,000 characters, recorded
 * @throws AkashiError forbidden without keys:admin, for oneself and for a person of a higher tier; conflict for the
 *   last administrator and under legal hold; not_found
 */
export async function eraseUser(
  parts: ErasureParts,
  actor: Actor,
  userId: string,
  options: { readonly confirm: string; readonly reason: string; readonly signal?: AbortSignal },
): Promise<Erasure> {
  const { database, keyring } = parts
  const { confirm, reason, signal } = options
  const cancel = given({ signal })
  await database.transaction(actor, (session) => requireConfirmation(session, userId, confirm), cancel)
  await beginErasure(parts, actor, userId, { reason, ...cancel })
  const trailRows = await database.transaction(actor, (session) => countTrail(session, userId), {
    ...cancel,
    timeoutMs: COUNT_TIMEOUT_MS,
  })
  const begun = await database.transaction(actor, (session) => readRow(session, userId), cancel)
  if (begun === null) throw new AkashiError('internal', 'the started erasure was not found')
  if (begun.certificate === null) {
    const places = placesSchema.parse(begun.columns)
    const note = await signCertificate(keyring, {
      person: userId,
      key: personKeyId(userId),
      requestedBy: begun.requested_by,
      requestedAt: begun.requested_at,
      destroyedAt: new Date().toISOString(),
      reason: begun.reason,
      unreadable: places.filter(({ form }) => form === 'encrypted'),
      removed: places.filter(({ form, atErasure }) => form !== 'encrypted' && atErasure !== 'kept'),
      remains: places.filter(({ atErasure }) => atErasure === 'kept'),
      trail: { rows: trailRows, salts: begun.salts },
      copies: COPIES,
    })
    await database.transaction(
      actor,
      (session) => session.query('select akashi_keys.finish_erasure($1, $2)', [userId, note]),
      cancel,
    )
  }
  const ended = await readErasure(parts, actor, userId)
  if (ended === null) throw new AkashiError('internal', 'the completed erasure was not found')
  return ended
}

/** All steps of an erasure except the certificate; afterwards the person is erased in any case. */
export async function beginErasure(
  { database, keyring }: ErasureParts,
  actor: Actor,
  userId: string,
  options: { readonly reason: string; readonly signal?: AbortSignal },
): Promise<void> {
  const { reason, ...cancel } = options
  const keyId = personKeyId(userId)
  await database.transaction(
    actor,
    (session) => session.query('select akashi_keys.begin_erasure($1, $2, $3)', [userId, keyId, reason]),
    cancel,
  )
  await keyring.destroy(keyId)
  await database.transaction(
    actor,
    (session) => session.query('select akashi_keys.erase_salts($1)', [userId]),
    cancel,
  )
}

/** null when there is none, or when the actor may not see it. */
export async function readErasure(
  { database }: Pick<ErasureParts, 'database'>,
  actor: Actor,
  userId: string,
): Promise<Erasure | null> {
  const row = await database.transaction(actor, (session) => readRow(session, userId))
  if (row === null) return null
  return {
    userId,
    requestedAt: row.requested_at,
    requestedBy: row.requested_by,
    reason: row.reason,
    completedAt: row.completed_at,
    certificate: row.certificate,
  }
}

interface ErasureRow {
  readonly requested_at: string
  readonly requested_by: string
  readonly reason: string
  readonly columns: unknown
  readonly salts: number
  readonly completed_at: string | null
  readonly certificate: string | null
}

async function readRow(session: Session, userId: string): Promise<ErasureRow | null> {
  const { rows } = await session.query<ErasureRow>(
    `select requested_at, requested_by, reason, columns, salts, completed_at, certificate
     from akashi_keys.erasures where user_id = $1`,
    [userId],
  )
  return rows[0] ?? null
}

async function requireConfirmation(session: Session, userId: string, confirm: string): Promise<void> {
  const { rows } = await session.query<{ username: string }>(
    'select username from akashi_auth.users where id = $1',
    [userId],
  )
  if (confirm === userId || confirm === rows[0]?.username) return
  throw new AkashiError('invalid_input', 'the confirmation does not match the person', {
    hint: 'an erasure cannot be undone: repeat the username or the id',
  })
}

async function countTrail(session: Session, userId: string): Promise<number> {
  const { rows } = await session.query<{ rows: bigint }>('select akashi_audit.count_about($1) as rows', [
    userId,
  ])
  return Number(rows[0]?.rows ?? 0n)
}
