/** Second factors of a user, in transactions that run for that user. */
import { randomUUID } from 'node:crypto'
import { AkashiError, type Clock } from '../../foundation/index.ts'
import type { PersonVault, Place } from '../../keys/index.ts'
import type { Session } from '../../postgres/index.ts'
import { newRecoveryCodes, recoveryCodeDigest } from './recovery-codes.ts'
import { newTotpSecret, totpStep } from './totp.ts'

/** The issuer name shown in authenticator apps. */
const APP_NAME = 'Akashi'

export interface Factor {
  readonly id: string
  readonly label: string | null
  readonly confirmedAt: string | null
  readonly lastUsedAt: string | null
}

interface Tools {
  readonly vault: PersonVault
  readonly clock: Clock
}

const placeOf = (id: string): Place => ({ table: 'akashi_auth.mfa_factors', column: 'secret', row: id })

export async function listFactors(
  session: Session,
  userId: string,
): Promise<{ readonly factors: readonly Factor[]; readonly recoveryCodesLeft: number }> {
  const { rows } = await session.query<Factor>(
    `select id, label, confirmed_at as "confirmedAt", last_used_at as "lastUsedAt"
     from akashi_auth.mfa_factors where user_id = $1 and confirmed_at is not null order by created_at`,
    [userId],
  )
  const codes = await session.query<{ left: number }>(
    'select count(*)::integer as left from akashi_auth.recovery_codes where user_id = $1 and used_at is null',
    [userId],
  )
  return { factors: rows, recoveryCodesLeft: codes.rows[0]?.left ?? 0 }
}

/** Starts to enrol an authenticator, which takes effect when its first code is confirmed. */
export async function enrolFactor(
  session: Session,
  { vault }: Tools,
  userId: string,
  names: { readonly account: string; readonly label: string | null },
): Promise<{ readonly id: string; readonly secret: string; readonly uri: string }> {
  const id = randomUUID()
  const { base32, uri } = newTotpSecret({ issuer: APP_NAME, account: names.account })
  await session.query('delete from akashi_auth.mfa_factors where user_id = $1 and confirmed_at is null', [
    userId,
  ])
  await session.query(
    'insert into akashi_auth.mfa_factors (id, user_id, label, secret) values ($1, $2, $3, $4)',
    [id, userId, names.label, await vault.encrypt(userId, placeOf(id), base32)],
  )
  return { id, secret: base32, uri }
}

/** Confirms the first code of an authenticator; false when it is wrong. @throws not_found when none is pending */
export async function confirmFactor(
  session: Session,
  tools: Tools,
  userId: string,
  { id, code, skewSteps }: { readonly id: string; readonly code: string; readonly skewSteps: number },
): Promise<boolean> {
  const { rows } = await session.query<StoredFactor>(
    `${selectFactors} where user_id = $1 and id = $2 and confirmed_at is null for update`,
    [userId, id],
  )
  const [factor] = rows
  if (factor === undefined) throw new AkashiError('not_found', 'no authenticator to confirm was found')
  const step = await stepOf(tools, userId, factor, code, skewSteps)
  if (step === null) return false
  await session.query(
    'update akashi_auth.mfa_factors set confirmed_at = now(), last_used_at = now(), last_used_step = $2 where id = $1',
    [id, step],
  )
  return true
}

/** Deletes recovery codes once there is no factor left that they could replace. */
export async function dropSpareCodes(session: Session, userId: string): Promise<void> {
  await session.query(
    `delete from akashi_auth.recovery_codes where user_id = $1
     and not exists (select from akashi_auth.mfa_factors where user_id = $1 and confirmed_at is not null)
     and not exists (select from akashi_auth.passkeys where user_id = $1)`,
    [userId],
  )
}

/** Removes a factor; recovery codes are deleted with the last one. @throws not_found */
export async function removeFactor(session: Session, userId: string, id: string): Promise<void> {
  const { rowCount } = await session.query(
    'delete from akashi_auth.mfa_factors where user_id = $1 and id = $2',
    [userId, id],
  )
  if (rowCount === 0) throw new AkashiError('not_found', 'second factor not found')
  await dropSpareCodes(session, userId)
}

/** Replaces all recovery codes. They are shown only once; only digests are stored. */
export async function replaceRecoveryCodes(
  session: Session,
  userId: string,
  count: number,
): Promise<string[]> {
  const codes = newRecoveryCodes(count)
  await session.query('delete from akashi_auth.recovery_codes where user_id = $1', [userId])
  await session.query(
    'insert into akashi_auth.recovery_codes (user_id, code_hash) select $1, unnest($2::bytea[])',
    [userId, codes.map(recoveryCodeDigest)],
  )
  return codes
}

/** Uses a code, which is valid once; false when it is wrong or was already used. */
export async function useFactor(
  session: Session,
  tools: Tools,
  userId: string,
  proof: { readonly code: string } | { readonly recoveryCode: string },
  skewSteps: number,
): Promise<boolean> {
  if ('recoveryCode' in proof) {
    const { rowCount } = await session.query(
      'update akashi_auth.recovery_codes set used_at = now() where user_id = $1 and code_hash = $2 and used_at is null',
      [userId, recoveryCodeDigest(proof.recoveryCode)],
    )
    return rowCount > 0
  }
  // Locked, so that concurrent requests cannot use the same code.
  const { rows } = await session.query<StoredFactor>(
    `${selectFactors} where user_id = $1 and confirmed_at is not null order by id for update`,
    [userId],
  )
  for (const factor of rows) {
    const step = await stepOf(tools, userId, factor, proof.code, skewSteps)
    if (step !== null) {
      await session.query(
        'update akashi_auth.mfa_factors set last_used_step = $2, last_used_at = now() where id = $1',
        [factor.id, step],
      )
      return true
    }
  }
  return false
}

interface StoredFactor {
  readonly id: string
  readonly secret: Buffer
  readonly last_used_step: bigint
}

const selectFactors = 'select id, secret, last_used_step from akashi_auth.mfa_factors'

async function stepOf(
  { vault, clock }: Tools,
  userId: string,
  factor: StoredFactor,
  code: string,
  skewSteps: number,
): Promise<number | null> {
  const secret = await vault.decrypt(userId, placeOf(factor.id), factor.secret)
  if (secret === null) return null
  return totpStep(secret, code, clock.now(), { lastStep: Number(factor.last_used_step), skewSteps })
}
