/** A sign-in attempt: the database counts it before the credentials are checked, and records the outcome afterwards. */
import { LOCAL_ISSUER } from '@akashi/contract'
import { AkashiError, given } from '../../foundation/index.ts'
import type { Actor, Session } from '../../postgres/index.ts'
import { emailIndexes } from '../users/personal.ts'
import type { LoginParts } from './parts.ts'

export type LoginMethod = 'password' | 'totp' | 'recovery_code' | 'passkey' | 'oidc'

/** See akashi_auth.settle_login of the migration 000011_sign_in. */
type Outcome = 'success' | 'partial' | 'failure' | 'denied' | 'locked'

export interface Account {
  /** Null if no user has the given name. */
  readonly userId: string | null
  /** Keyed digest of the name in its canonical form, by which attempts count; null where a user is known already. */
  readonly identifierHash: Uint8Array | null
  readonly issuer: string
}

/** What is needed to check an attempt; placeholders if the user does not exist. */
export interface Attempt {
  readonly account: Account
  readonly method: LoginMethod
  readonly passwordHash: string | null
  readonly passwordChangedAt: string | null
  readonly mustChange: boolean
  readonly passwordExpired: boolean
  readonly active: boolean
  readonly hasFactor: boolean
}

/** The account for a given name or e-mail address. Takes the same work whether it exists or not; decrypts nothing. */
export async function accountOf(session: Session, parts: LoginParts, login: string): Promise<Account> {
  const { rows } = await session.query<{ id: string | null; typed: string }>(
    `select n.typed, (
       select u.id from akashi_auth.users u
       where u.issuer = $1 and (akashi_auth.username_key(u.username) = n.typed or u.email_index = any ($3::bytea[]))
       order by u.email_index = any ($3::bytea[]) desc nulls last limit 1) as id
     from (select akashi_auth.username_key(btrim($2)) as typed) n`,
    [LOCAL_ISSUER, login, await emailIndexes(parts.vault, login)],
  )
  return {
    userId: rows[0]?.id ?? null,
    identifierHash: await parts.vault.blindIndex(
      'akashi_auth.login_attempts.identifier',
      rows[0]?.typed ?? login,
    ),
    issuer: LOCAL_ISSUER,
  }
}

/** @throws AkashiError rate_limited after too many failed attempts; nothing may be checked then */
export async function beginAttempt(
  parts: LoginParts,
  actor: Actor,
  method: LoginMethod,
  find: (session: Session) => Promise<Account>,
  signal?: AbortSignal,
): Promise<Attempt> {
  const { attempt, waitSeconds } = await parts.worker.transaction(
    actor,
    async (session) => {
      const account = await find(session)
      const { rows } = await session.query<{
        wait_seconds: number
        password_hash: string | null
        password_changed_at: string | null
        must_change: boolean | null
        password_expired: boolean | null
        account_active: boolean | null
        has_factor: boolean | null
      }>('select * from akashi_auth.begin_login($1, $2, $3)', [
        account.userId,
        account.identifierHash,
        method !== 'password',
      ])
      const [row] = rows
      if (row === undefined) throw new AkashiError('internal', 'an attempt was not counted')
      if (row.wait_seconds > 0) await settle(session, { account, method }, 'locked', 'too_many_attempts')
      const attempt: Attempt = {
        account,
        method,
        passwordHash: row.password_hash,
        passwordChangedAt: row.password_changed_at,
        mustChange: row.must_change ?? false,
        passwordExpired: row.password_expired ?? false,
        active: row.account_active ?? false,
        hasFactor: row.has_factor ?? false,
      }
      return { attempt, waitSeconds: row.wait_seconds }
    },
    given({ signal }),
  )
  if (waitSeconds > 0) {
    throw new AkashiError('rate_limited', 'too many failed sign-in attempts', {
      hint: `wait ${waitSeconds} s`,
      detail: { retryAfterSeconds: waitSeconds },
    })
  }
  return attempt
}

/** Records the outcome of an attempt. Takes no signal, because a checked attempt must always count. */
export async function settleAttempt(
  parts: LoginParts,
  actor: Actor,
  attempt: Pick<Attempt, 'account' | 'method'>,
  outcome: Outcome,
  more: { readonly reason?: string; readonly sessionId?: string } = {},
): Promise<void> {
  await parts.worker.transaction(actor, (session) =>
    settle(session, attempt, outcome, more.reason, more.sessionId),
  )
}

async function settle(
  session: Session,
  { account, method }: Pick<Attempt, 'account' | 'method'>,
  outcome: Outcome,
  reason?: string,
  sessionId?: string,
): Promise<void> {
  await session.query('select akashi_auth.settle_login($1, $2, $3, $4, $5, $6, $7)', [
    method,
    outcome,
    account.userId,
    account.identifierHash,
    account.issuer,
    reason ?? null,
    sessionId ?? null,
  ])
}
